// Operations of the fault test: what each does to the workspace, and what may stand there when it was cut short.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What stands in the guest before the operation begins: synced. */
export interface Before {
  readonly id: string;
  readonly round: number;
  /** Folder of the host for what goes in */
  readonly folder: string;
}

export interface FaultOperation {
  readonly name: string;
  readonly args: (before: Before) => readonly string[];
  /** The same as a call of a tool */
  readonly tool: (before: Before) => { readonly name: string; readonly arguments: Readonly<Record<string, unknown>> };
  /** Contents that the files `one`, `two` may have afterwards, where the guest has lived and where its QEMU was killed */
  readonly allowed: (round: number, isGuestKilled: boolean) => readonly string[];
}

const old = (round: number): string => `old ${round}`;
const fresh = (round: number): string => `new ${round}`;

/** Both files as they were. */
const untouched = (round: number): string[] => [`${old(round)}|${old(round)}`];

/** Both new or both old; when the guest's power was cut in between, each of the two for itself. */
const both = (round: number, isGuestKilled: boolean): string[] => [
  ...untouched(round),
  `${fresh(round)}|${fresh(round)}`,
  ...(isGuestKilled ? [`${fresh(round)}|${old(round)}`, `${old(round)}|${fresh(round)}`] : []),
];

function pushed({ folder, round }: Before): string {
  const source = join(folder, `push-${round}`);
  mkdirSync(source, { recursive: true });
  for (const name of ['one', 'two']) writeFileSync(join(source, name), `${fresh(round)}\n`);
  return source;
}

function patch({ round }: Before): string {
  return ['one', 'two']
    .map(
      (name) =>
        `diff --git a/${name} b/${name}\n--- a/${name}\n+++ b/${name}\n@@ -1 +1 @@\n-${old(round)}\n+${fresh(round)}\n`,
    )
    .join('');
}

export const faultOperations: readonly FaultOperation[] = [
  {
    name: 'create',
    args: () => ['workspace', 'create', 'debian:12', '--empty'],
    tool: () => ({ name: 'workspace_create', arguments: { environment: 'debian:12' } }),
    allowed: untouched,
  },
  {
    name: 'exec',
    args: ({ id }) => ['workspace', 'exec', id, '--', 'sleep 1'],
    tool: ({ id }) => ({ name: 'workspace_exec', arguments: { workspace_id: id, command: 'sleep 1' } }),
    allowed: untouched,
  },
  {
    name: 'file write',
    args: ({ id, round }) => ['workspace', 'file', 'write', id, 'one', '--text', `${fresh(round)}\n`],
    tool: ({ id, round }) => ({
      name: 'workspace_file_write',
      arguments: { workspace_id: id, path: 'one', text: `${fresh(round)}\n` },
    }),
    allowed: (round) => [...untouched(round), `${fresh(round)}|${old(round)}`],
  },
  {
    name: 'patch apply',
    args: (before) => ['workspace', 'patch', 'apply', before.id, '--patch', patch(before)],
    tool: (before) => ({
      name: 'workspace_patch_apply',
      arguments: { workspace_id: before.id, patch: patch(before) },
    }),
    allowed: both,
  },
  {
    name: 'sync push',
    args: (before) => ['workspace', 'sync', 'push', before.id, pushed(before)],
    tool: (before) => ({
      name: 'workspace_sync_push',
      arguments: { workspace_id: before.id, source_path: pushed(before) },
    }),
    allowed: both,
  },
  {
    name: 'snapshot create',
    args: ({ id, round }) => ['workspace', 'snapshot', 'create', id, `round-${round}`],
    tool: ({ id, round }) => ({
      name: 'snapshot_create',
      arguments: { workspace_id: id, snapshot_name: `round-${round}` },
    }),
    allowed: untouched,
  },
  {
    name: 'reset',
    args: ({ id }) => ['workspace', 'reset', id],
    tool: ({ id }) => ({ name: 'workspace_reset', arguments: { workspace_id: id } }),
    allowed: (round) => [...untouched(round), 'none|none'],
  },
  {
    name: 'stop',
    args: ({ id }) => ['workspace', 'stop', id],
    tool: ({ id }) => ({ name: 'workspace_stop', arguments: { workspace_id: id } }),
    allowed: untouched,
  },
  {
    name: 'start',
    args: ({ id }) => ['workspace', 'start', id],
    tool: ({ id }) => ({ name: 'workspace_start', arguments: { workspace_id: id } }),
    allowed: untouched,
  },
  {
    name: 'delete',
    args: ({ id }) => ['workspace', 'delete', id],
    tool: ({ id }) => ({ name: 'workspace_delete', arguments: { workspace_id: id } }),
    allowed: untouched,
  },
];

/** Prepares both files with what is there before, and makes sure that it is on the disk. */
export function prepareCommand(round: number): string {
  return `rm -f one two; echo ${old(round)} | tee one > two; sync`;
}

/** Prints both files as the operations name them. */
export const showCommand = 'printf "%s|%s" "$(cat one 2>/dev/null || echo none)" "$(cat two 2>/dev/null || echo none)"';
