// The workspaces as operations call them: each call finds its workspace and hands over to the file for its job.

import { createGuestFiles } from '../agent/guest-files.ts';
import { readConnectionLog } from '../network/connection-log.ts';
import { followCommand } from './command-follow.ts';
import { DiffShelf } from './diff-shelf.ts';
import type { Preparations } from './preparations.ts';
import { SeedMemory } from './seed.ts';
import { Applier } from './workspace-apply.ts';
import { applyPatchTo, diffWorkspace, exportWorkspace } from './workspace-changes.ts';
import { copyFiles } from './workspace-copy.ts';
import { createWorkspace } from './workspace-create.ts';
import { exportDisk } from './workspace-disk.ts';
import { execute, signalCommand } from './workspace-exec.ts';
import { listFiles, readFile, writeFile } from './workspace-files.ts';
import { findWorkspace } from './workspace-find.ts';
import { inspectStopped } from './workspace-inspect.ts';
import { listWorkspaces } from './workspace-list.ts';
import { readLogs } from './workspace-logs.ts';
import { maskContent, maskListing } from './workspace-masks.ts';
import { seedsAround } from './workspace-origin.ts';
import { pruneWorkspaces, unsavedOf } from './workspace-prune.ts';
import type { WorkspaceRegistry } from './workspace-registry.ts';
import { resetWorkspace } from './workspace-reset.ts';
import { createServiceCalls } from './workspace-services.ts';
import { createShellCalls } from './workspace-shells.ts';
import { createSnapshot, deleteSnapshot, listSnapshots } from './workspace-snapshots.ts';
import { summarize } from './workspace-summary.ts';
import { pushFiles } from './workspace-sync.ts';
import type { Workspaces } from './workspace-types.ts';
import { statusOf, viewOf } from './workspace-view.ts';

export function createWorkspaces(registry: WorkspaceRegistry, preparations: Preparations): Workspaces {
  const seeds = new SeedMemory();
  const shelf = new DiffShelf();
  const applier = new Applier();
  return {
    find: (reference) => findWorkspace(registry, reference),
    create: (request, call) => createWorkspace(registry, preparations, seeds, request, call),
    list: async (request) => {
      const { folder } = request;
      return listWorkspaces(registry, request, folder === undefined ? undefined : await seedsAround(folder));
    },
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
    unsaved: (id, call) => unsavedOf(registry, id, call),
    delete: async (id, call) => {
      const unsaved = await unsavedOf(registry, id, call);
      await shelf.forget(id);
      await registry.remove(id, call);
      return unsaved;
    },
    prune: (request, call) => pruneWorkspaces(registry, request, call),
    exec: (id, request, call) => execute(registry.get(id), request, call),
    signal: (id, sequence, name) => signalCommand(registry.get(id), sequence, name),
    logs: (id, request, call) => readLogs(registry.get(id), request, call),
    follow: (id, request, call) => followCommand(registry.get(id), request, call),
    fileList: (id, request, call) => {
      const workspace = registry.get(id);
      return workspace.use(call, async ({ guest }) =>
        maskListing(await listFiles(createGuestFiles(guest.client), request, call), workspace.secrets),
      );
    },
    fileRead: (id, request, call) => {
      const workspace = registry.get(id);
      return workspace.use(call, async ({ guest }) =>
        maskContent(await readFile(createGuestFiles(guest.client), id, request, call), workspace.secrets),
      );
    },
    fileWrite: (id, request, call) => writeFile(registry.get(id), request, call),
    patchApply: (id, patch, call) => applyPatchTo(registry.get(id), patch, call),
    diff: (id, request, call) => diffWorkspace(registry.get(id), shelf, request, call),
    apply: (id, request, call) => applier.apply(registry.get(id), request, call),
    export: (id, request, call) => exportWorkspace(registry.get(id), request, call),
    copy: (id, request, call) => copyFiles(registry.get(id), request, call),
    syncPush: (id, request, call) => pushFiles(registry.get(id), request, call),
    reset: async (id, snapshot, call) => {
      const workspace = registry.get(id);
      await shelf.forget(id);
      await resetWorkspace(workspace, snapshot, call);
      return viewOf(workspace);
    },
    snapshotCreate: (id, name, call) => createSnapshot(registry.get(id), name, call),
    snapshotList: async (id) => listSnapshots(registry.get(id)),
    snapshotDelete: (id, name) => deleteSnapshot(registry.get(id), name),
    diskList: (id, request, call) => {
      const workspace = registry.get(id);
      return inspectStopped(workspace, call, async (files) =>
        maskListing(await listFiles(files, request, call), workspace.secrets),
      );
    },
    diskRead: (id, request, call) => {
      const workspace = registry.get(id);
      return inspectStopped(workspace, call, async (files) =>
        maskContent(await readFile(files, id, request, call), workspace.secrets),
      );
    },
    diskExport: (id, request, call) => exportDisk(registry.get(id), request, call),
    network: async (id, { isRefusedOnly, limit, cursor }) => {
      const { network, record } = registry.get(id);
      const after = cursor === undefined ? {} : { after: cursor };
      const page = await readConnectionLog(network.logPath, { isRefusedOnly, limit, ...after });
      return {
        workspace_id: id,
        network_policy: record.network_policy,
        attempts: [...page.attempts],
        next_cursor: page.nextCursor,
      };
    },
    summary: (id, call) => summarize(registry.get(id), shelf, call),
    shells: createShellCalls(registry),
    services: createServiceCalls(registry),
  };
}
