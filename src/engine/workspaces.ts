// The workspaces as operations call them: each call finds its workspace and hands over to the file for its job.

import { createGuestFiles } from '../agent/guest-files.ts';
import type { AuditInput } from '../contract/audit.ts';
import type { WorkspaceCall } from '../contract/call.ts';
import type { ApplyInput, DiffInput, SummaryInput } from '../contract/changes.ts';
import type { FileListInput, FileReadInput } from '../contract/files.ts';
import type { DiskListInput, DiskReadInput } from '../contract/snapshots.ts';
import type {
  CreateInput,
  DeleteInput,
  ListInput,
  PruneInput,
  ResetInput,
  StartInput,
  StopInput,
} from '../contract/workspaces.ts';
import { isPyroError } from '../shared/errors.ts';
import { createWorkspace } from './calls/create.ts';
import { readAttempts, readAuditOf } from './calls/crossings.ts';
import { execute, signalCommand } from './calls/exec.ts';
import { followCommand } from './calls/follow.ts';
import { listWorkspaces } from './calls/list.ts';
import { readLogs } from './calls/logs.ts';
import { deleteWorkspace, pruneWorkspaces } from './calls/prune.ts';
import { resetWorkspace } from './calls/reset.ts';
import { SeedMemory } from './calls/seed.ts';
import { listServices, logsOfService, startService, statusOfService, stopService } from './calls/services.ts';
import {
  closeShell,
  listShells,
  openShell,
  readShellOf,
  resizeShell,
  signalShell,
  writeToShell,
} from './calls/shells.ts';
import { createSnapshot, deleteSnapshot, listSnapshots } from './calls/snapshots.ts';
import { statusOf, updateWorkspace, viewOf } from './calls/view.ts';
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
import type { Workspace } from './workspace/workspace.ts';
import { findWorkspace } from './workspace/workspace-find.ts';
import type { WorkspaceRegistry } from './workspace/workspace-registry.ts';
import { maskError } from './workspace/workspace-secrets.ts';

export function createWorkspaces(registry: WorkspaceRegistry, preparations: Preparations) {
  const seeds = new SeedMemory();
  const shelf = new DiffShelf();
  const applier = new Applier();
  /** Makes a call that names a workspace from what acts on one. Throws `workspace_unknown` or `workspace_ambiguous`. */
  const on =
    <I extends { readonly workspace_id: string }, O>(act: (workspace: Workspace, input: I, call: WorkspaceCall) => O) =>
    async (input: I, call: WorkspaceCall): Promise<Awaited<O>> => {
      const id = findWorkspace(registry, input.workspace_id);
      const workspace = registry.get(id);
      try {
        return await act(workspace, { ...input, workspace_id: id }, call);
      } catch (error) {
        // What a call misses of a workspace that was deleted beside it is no fault.
        if (!isPyroError(error)) findWorkspace(registry, id);
        throw maskError(error, workspace.secrets);
      }
    };
  return {
    create: (input: CreateInput, call: WorkspaceCall) => createWorkspace(registry, preparations, seeds, input, call),
    list: (input: ListInput) => listWorkspaces(registry, input),
    status: on(statusOf),
    update: on(updateWorkspace),
    start: on(async (workspace, _: StartInput, call) => {
      await workspace.start(call);
      return viewOf(workspace);
    }),
    stop: on(async (workspace, _: StopInput, call) => {
      await workspace.stop('explicit', call);
      return viewOf(workspace);
    }),
    delete: async (input: DeleteInput, call: WorkspaceCall) => {
      // Even one whose record cannot be read.
      const id = findWorkspace(registry, input.workspace_id);
      if (!input.dry_run) await shelf.forget(id);
      return await deleteWorkspace(registry, { ...input, workspace_id: id }, call);
    },
    prune: (input: PruneInput, call: WorkspaceCall) => pruneWorkspaces(registry, input, call),
    exec: on(execute),
    signal: on(signalCommand),
    logs: on(readLogs),
    /** Shows the output of a command live; gives the last line for the person. */
    follow: on(followCommand),
    fileList: on((workspace, input: FileListInput, call) =>
      workspace.use(call, async ({ guest }) =>
        maskListing(await listFiles(createGuestFiles(guest.client), input, call), workspace.secrets),
      ),
    ),
    fileRead: on((workspace, input: FileReadInput, call) =>
      workspace.use(call, async ({ guest }) => {
        const files = createGuestFiles(guest.client);
        return await maskContent(await readFile(files, input, call), files, workspace.secrets, call);
      }),
    ),
    fileWrite: on(writeFile),
    patchApply: on(applyPatchTo),
    diff: on((workspace, input: DiffInput, call) => diffWorkspace(workspace, shelf, input, call)),
    apply: on((workspace, input: ApplyInput, call) => applier.apply(workspace, input, call)),
    export: on(exportWorkspace),
    copy: on(copyFiles),
    syncPush: on(pushFiles),
    reset: on(async (workspace, input: ResetInput, call) => {
      await shelf.forget(workspace.record.id);
      await resetWorkspace(workspace, input.snapshot, call);
      return viewOf(workspace);
    }),
    snapshotCreate: on(createSnapshot),
    snapshotList: on(listSnapshots),
    snapshotDelete: on(deleteSnapshot),
    diskList: on((workspace, input: DiskListInput, call) =>
      inspectStopped(workspace, call, async (files) =>
        maskListing(await listFiles(files, input, call), workspace.secrets),
      ),
    ),
    diskRead: on((workspace, input: DiskReadInput, call) =>
      inspectStopped(workspace, call, async (files) =>
        maskContent(await readFile(files, input, call), files, workspace.secrets, call),
      ),
    ),
    diskExport: on(exportDisk),
    network: on(readAttempts),
    audit: (input: AuditInput) => readAuditOf(registry, input),
    summary: on((workspace, input: SummaryInput, call) => summarize(workspace, shelf, input, call)),
    shells: {
      open: on(openShell),
      read: on(readShellOf),
      write: on(writeToShell),
      resize: on(resizeShell),
      signal: on(signalShell),
      close: on(closeShell),
      list: on(listShells),
    },
    services: {
      start: on(startService),
      list: on(listServices),
      status: on(statusOfService),
      logs: on(logsOfService),
      stop: on(stopService),
    },
  };
}
