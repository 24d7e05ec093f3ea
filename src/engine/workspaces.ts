// The workspaces as operations call them: each call finds its workspace and hands over to the file for its job.

import { createGuestFiles } from '../agent/guest-files.ts';
import type { Workspaces } from '../contract/workspaces-requests.ts';
import { readConnectionLog } from '../network/connection-log.ts';
import { createWorkspace } from './calls/create.ts';
import { execute, signalCommand } from './calls/exec.ts';
import { followCommand } from './calls/follow.ts';
import { listWorkspaces } from './calls/list.ts';
import { readLogs } from './calls/logs.ts';
import { pruneWorkspaces, unsavedOf } from './calls/prune.ts';
import { resetWorkspace } from './calls/reset.ts';
import { SeedMemory } from './calls/seed.ts';
import { createServiceCalls } from './calls/services.ts';
import { createShellCalls } from './calls/shells.ts';
import { createSnapshot, deleteSnapshot, listSnapshots } from './calls/snapshots.ts';
import { statusOf, viewOf } from './calls/view.ts';
import { Applier } from './changes/apply.ts';
import { applyPatchTo, diffWorkspace } from './changes/changes.ts';
import { DiffShelf } from './changes/diff-shelf.ts';
import { summarize } from './changes/summary.ts';
import { copyFiles } from './files/copy.ts';
import { exportDisk } from './files/disk.ts';
import { exportWorkspace } from './files/export.ts';
import { listFiles, readFile, writeFile } from './files/files.ts';
import { inspectStopped } from './files/inspect.ts';
import { maskContent, maskListing } from './files/masks.ts';
import { pushFiles } from './files/sync.ts';
import type { Preparations } from './guests/preparations.ts';
import { findWorkspace } from './workspace/workspace-find.ts';
import { seedsAround } from './workspace/workspace-origin.ts';
import type { WorkspaceRegistry } from './workspace/workspace-registry.ts';

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
      await registry.remove(id);
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
