// The list of all operations.
import { config } from './config.ts';
import { daemonStatus, daemonStop } from './daemon.ts';
import type { AnyOperation } from './define.ts';
import { envInspect, envList, envPrune, envPull } from './env.ts';
import { demo, doctor, prepare } from './host.ts';
import { hostConnect, hostDisconnect, hostDoctor, hostPrintConfig, hostRepair } from './host-connect.ts';
import { run } from './run.ts';
import { serviceList, serviceStart, serviceStatus, serviceStop } from './service.ts';
import { serviceLogs } from './service-logs.ts';
import { shellClose, shellList, shellOpen, shellResize, shellSignal, shellWrite } from './shell.ts';
import { shellAttach } from './shell-attach.ts';
import { shellRead } from './shell-read.ts';
import { clean, df } from './storage.ts';
import {
  vmCreate,
  vmDelete,
  vmExec,
  vmListEnvironments,
  vmNetworkInfo,
  vmReapExpired,
  vmStart,
  vmStatus,
  vmStop,
} from './vm.ts';
import { vmRun } from './vm-run.ts';
import { workspaceApply } from './workspace-apply.ts';
import { workspaceAudit } from './workspace-audit.ts';
import { workspaceDiff, workspaceExport, workspacePatchApply, workspaceSyncPush } from './workspace-change.ts';
import { workspaceCopy } from './workspace-copy.ts';
import { workspaceDelete, workspacePrune } from './workspace-delete.ts';
import { workspaceExec, workspaceExecSignal, workspaceLogs } from './workspace-exec.ts';
import { workspaceFileList, workspaceFileRead, workspaceFileWrite } from './workspace-file.ts';
import { workspaceCreate, workspaceReset, workspaceStatus, workspaceUpdate } from './workspace-life.ts';
import { workspaceList } from './workspace-list.ts';
import { workspaceNetwork } from './workspace-network.ts';
import { workspaceStart, workspaceStop } from './workspace-power.ts';
import { diskExport, diskList, diskRead, snapshotCreate, snapshotDelete, snapshotList } from './workspace-snapshot.ts';
import { workspaceSummary } from './workspace-summary.ts';

const list = [
  doctor,
  envList,
  envInspect,
  envPull,
  envPrune,
  df,
  clean,
  config,
  run,
  demo,
  prepare,
  workspaceCreate,
  workspaceList,
  workspaceStatus,
  workspaceUpdate,
  workspaceExec,
  workspaceExecSignal,
  workspaceLogs,
  workspaceFileList,
  workspaceFileRead,
  workspaceFileWrite,
  workspacePatchApply,
  workspaceDiff,
  workspaceApply,
  workspaceExport,
  workspaceSyncPush,
  workspaceCopy,
  workspaceSummary,
  workspaceReset,
  workspaceStart,
  workspaceStop,
  snapshotCreate,
  snapshotList,
  snapshotDelete,
  diskList,
  diskRead,
  diskExport,
  workspaceDelete,
  workspacePrune,
  shellOpen,
  shellRead,
  shellWrite,
  shellResize,
  shellSignal,
  shellClose,
  shellList,
  shellAttach,
  serviceStart,
  serviceList,
  serviceStatus,
  serviceLogs,
  serviceStop,
  hostConnect,
  hostDisconnect,
  hostPrintConfig,
  hostDoctor,
  hostRepair,
  daemonStatus,
  daemonStop,
  workspaceNetwork,
  workspaceAudit,
  vmRun,
  vmListEnvironments,
  vmCreate,
  vmStart,
  vmExec,
  vmStop,
  vmDelete,
  vmStatus,
  vmNetworkInfo,
  vmReapExpired,
] as const;

export const operations: readonly AnyOperation[] = list;

/** Name, input and output of each, as types */
export type ListedTypes = NonNullable<(typeof list)[number]['types']>;

export const dailyCommands = 'Daily commands:';
export const restOfCommands = 'More commands:';

/** Which first words stand together in the help, in order; those that no group names are the rest. */
export const helpGroups: Readonly<Record<string, readonly string[]>> = {
  'Getting started:': ['doctor', 'env', 'run', 'demo', 'prepare'],
  'For chat hosts:': ['host', 'mcp'],
  [dailyCommands]: [],
  [restOfCommands]: [],
};

/** What each first word of a command, or first two words, is about. */
export const groups: Readonly<Record<string, string>> = {
  env: 'What machines are made from: the catalogue and the cache',
  workspace: 'Disposable machines that live until they are deleted',
  host: 'Chat hosts: Claude Code, Codex, OpenCode',
  daemon: 'The background process that owns the guests',
  'workspace file': 'Files of a workspace',
  'workspace disk': 'The disk of a stopped workspace',
  'workspace snapshot': 'Named states of the disk of a workspace',
  'workspace patch': 'Patches into a workspace',
  'workspace shell': 'Terminals in a workspace',
  'workspace service': 'Programs that keep running in a workspace',
  'workspace sync': 'Files of the host into a workspace',
};
