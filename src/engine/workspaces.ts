// The workspaces as operations call them: each call finds its workspace and hands over to the file for its job.

import { sizeOf } from '../environment/store.ts';
import { isPyroError, PyroError } from '../shared/errors.ts';
import type { Preparations } from './preparations.ts';
import { applyPatchTo, diffWorkspace, exportWorkspace } from './workspace-changes.ts';
import { createWorkspace } from './workspace-create.ts';
import { execute, signalCommand } from './workspace-exec.ts';
import { listFiles, readFile, writeFile } from './workspace-files.ts';
import { listWorkspaces } from './workspace-list.ts';
import { readLogs } from './workspace-logs.ts';
import type { WorkspaceRegistry } from './workspace-registry.ts';
import { listServices, logsOfService, startService, statusOfService, stopService } from './workspace-services.ts';
import {
  closeShell,
  listShells,
  openShell,
  readShellOf,
  resizeShell,
  signalShell,
  writeToShell,
} from './workspace-shells.ts';
import { summarize } from './workspace-summary.ts';
import { pushFiles } from './workspace-sync.ts';
import type { Workspaces } from './workspace-types.ts';
import { statusOf, viewOf } from './workspace-view.ts';

export function createWorkspaces(registry: WorkspaceRegistry, preparations: Preparations): Workspaces {
  return {
    create: (request, call) => createWorkspace(registry, preparations, request, call),
    list: async (request) => listWorkspaces(registry, request),
    status: (id, call) => statusOf(registry.get(id), call),
    update: async (id, { name, clearName, labels, clearLabels }) => {
      const workspace = registry.get(id);
      const kept = Object.entries(workspace.record.labels).filter(([key]) => !clearLabels.includes(key));
      await workspace.update({
        name: clearName ? null : (name ?? workspace.record.name),
        labels: { ...Object.fromEntries(kept), ...labels },
      });
      return viewOf(workspace);
    },
    start: async (id, call) => {
      const workspace = registry.get(id);
      await workspace.start(call);
      return viewOf(workspace);
    },
    stop: async (id, call) => {
      const workspace = registry.get(id);
      await workspace.stop('explicit', call);
      return viewOf(workspace);
    },
    delete: (id, call) => registry.remove(id, call),
    prune: async (states, call) => {
      const { workspaces } = listWorkspaces(registry, {
        label: undefined,
        state: undefined,
        limit: Number.POSITIVE_INFINITY,
        cursor: undefined,
      });
      const deleted: string[] = [];
      let freed = 0;
      for (const { workspace_id: id, state } of workspaces) {
        if (!states.includes(state)) continue;
        freed += await sizeOf(registry.filesOf(id).folder);
        try {
          await registry.remove(id, call);
          deleted.push(id);
        } catch (error) {
          // Somebody else has deleted it meanwhile.
          if (!isPyroError(error, 'workspace_unknown')) throw error;
        }
      }
      return { deleted, freed_bytes: freed };
    },
    exec: (id, request, call) => execute(registry.get(id), request, call),
    signal: (id, sequence, name) => signalCommand(registry.get(id), sequence, name),
    logs: (id, request, call) => readLogs(registry.get(id), request, call),
    fileList: (id, request, call) => listFiles(registry.get(id), request, call),
    fileRead: (id, request, call) => readFile(registry.get(id), request, call),
    fileWrite: (id, request, call) => writeFile(registry.get(id), request, call),
    patchApply: (id, patch, call) => applyPatchTo(registry.get(id), patch, call),
    diff: (id, request, call) => diffWorkspace(registry.get(id), request, call),
    export: (id, request, call) => exportWorkspace(registry.get(id), request, call),
    syncPush: (id, request, call) => pushFiles(registry.get(id), request, call),
    reset: async (id, snapshot, call) => {
      const workspace = registry.get(id);
      if (snapshot !== 'baseline') {
        throw new PyroError('snapshot_unknown', `workspace ${id} has no snapshot ${JSON.stringify(snapshot)}`, {
          hint: 'baseline is the seed',
        });
      }
      await workspace.reset(call);
      return viewOf(workspace);
    },
    summary: (id, call) => summarize(registry.get(id), call),
    shells: {
      open: (id, request, call) => openShell(registry.get(id), request, call),
      read: (id, shell, request, call) => readShellOf(registry.get(id), shell, request, call),
      write: (id, shell, { input, appendsNewline }, call) =>
        writeToShell(registry.get(id), shell, input, appendsNewline, call),
      resize: (id, shell, size, call) => resizeShell(registry.get(id), shell, size, call),
      signal: (id, shell, name, call) => signalShell(registry.get(id), shell, name, call),
      close: (id, shell, call) => closeShell(registry.get(id), shell, call),
      list: async (id) => listShells(registry.get(id)),
    },
    services: {
      start: (id, request, call) => startService(registry.get(id), request, call),
      list: async (id) => listServices(registry.get(id)),
      status: (id, name, call) => statusOfService(registry.get(id), name, call),
      logs: (id, request, call) => logsOfService(registry.get(id), request, call),
      stop: (id, name, call) => stopService(registry.get(id), name, call),
    },
  };
}
