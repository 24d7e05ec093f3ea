// What applying a guest's changes to a folder of the host would do, path by path, before anything is done.
import { pathKey } from './git-paths.ts';
import { type HostState, readHostState } from './host-state.ts';
import type { RawChange } from './raw-diff.ts';

export interface ApplyStep {
  readonly path: Buffer;
  readonly status: 'added' | 'modified' | 'deleted';
  /** What is written, as a blob of the lab; undefined deletes */
  readonly content: { readonly blob: string; readonly mode: string } | undefined;
  /** How the path stood when the plan was made */
  readonly before: HostState;
}

export interface Contested {
  readonly change: RawChange;
  readonly state: HostState;
  readonly reason: string;
  /** True when a merge with marks of conflicts could be made of it */
  readonly isMergeable?: boolean;
}

export interface ApplyPlan {
  readonly steps: readonly ApplyStep[];
  /** Stand there already as in the guest */
  readonly already: readonly Buffer[];
  /** Those of them that the host has changed since they were brought */
  readonly newer: readonly Buffer[];
  /** Have changed on the host since the seed was taken, in a way of their own */
  readonly contested: readonly Contested[];
}

/** What an apply has put where, by the keys of the paths: mode and blob, of what went the mode of nothing. */
export type AppliedStates = ReadonlyMap<string, string>;

/**
 * `changes` are without renames; what stands as the last apply has put it is not the host's own. Reads the host, writes
 * nothing.
 */
export async function planApply(
  root: string,
  changes: readonly RawChange[],
  applied: AppliedStates,
  signal: AbortSignal,
): Promise<ApplyPlan> {
  const leaving = new Set(changes.filter(({ letter }) => letter === 'D').map(({ key }) => key));
  const steps: ApplyStep[] = [];
  const already: Buffer[] = [];
  const newer: Buffer[] = [];
  const contested: Contested[] = [];
  for (const change of changes) {
    signal.throwIfAborted();
    const { path } = change;
    const state = await readHostState(root, path);
    const last = applied.get(change.key);
    const isGoing = state.blockedBy !== undefined && leaving.has(pathKey(state.blockedBy.path));
    if (stands(state, change.newMode, change.newBlob) || isGone(change, state)) already.push(path);
    else if (
      stands(state, change.oldMode, change.oldBlob) ||
      isOurs(state, last) ||
      isGoing ||
      makesRoom(change, state)
    )
      steps.push(stepOf(change, isGoing ? { kind: 'missing' } : state));
    // Brought before and the same in the guest since: what the host has made of it is newer.
    else if (last === appliedState(change)) {
      already.push(path);
      newer.push(path);
    } else contested.push({ change, state, reason: reasonOf(change, state) });
  }
  return { steps, already, newer, contested };
}

export function stepOf(
  change: Pick<RawChange, 'path' | 'letter' | 'newBlob' | 'newMode'>,
  before: HostState,
): ApplyStep {
  const isDelete = change.letter === 'D';
  return {
    path: change.path,
    status: isDelete ? 'deleted' : change.letter === 'A' ? 'added' : 'modified',
    content: isDelete ? undefined : { blob: change.newBlob, mode: change.newMode },
    before,
  };
}

/** A file where the seed had a folder: the folder is empty once its files are gone, or the step fails and is undone. */
function makesRoom(change: RawChange, state: HostState): boolean {
  return change.letter === 'A' && state.kind === 'directory';
}

/** Mode and blob of a path that is not there */
export const noMode = '000000';
export const noBlob: string = '0'.repeat(40);

/** True where a path stands as one side of the change has it. A folder is nothing to Git: only what is in it counts. */
function stands(state: HostState, mode: string, blob: string): boolean {
  return mode === noMode ? state.kind === 'missing' : state.mode === mode && state.blob === blob;
}

function isOurs(state: HostState, applied: string | undefined): boolean {
  const [mode = '', blob = ''] = applied?.split(' ') ?? [];
  return mode !== '' && stands(state, mode, blob);
}

/** How a path stands once a change is applied. */
export function appliedState({ newMode, newBlob }: RawChange): string {
  return `${newMode} ${newBlob}`;
}

/** True for a file that should go and is not there, whatever has come in its place. */
function isGone(change: RawChange, { kind, blockedBy }: HostState): boolean {
  return change.letter === 'D' && (kind === 'directory' || blockedBy?.isLink === false);
}

function reasonOf(change: RawChange, { kind, blockedBy }: HostState): string {
  if (blockedBy !== undefined) {
    const name = JSON.stringify(blockedBy.path.toString('utf8'));
    return blockedBy.isLink ? `is below the link ${name}` : `is below the file ${name}`;
  }
  if (kind === 'directory') return 'is a folder here';
  if (kind === 'missing') return 'is gone here';
  if (change.letter === 'A') return 'exists here too, with other content';
  return 'has changed here since the workspace was made';
}
