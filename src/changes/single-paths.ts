// How single paths of the guest stand, in as many questions as that takes.
import { type Change, type ChangesRequest, type GuestFiles, mostAsked } from '../agent/file-types.ts';
import type { WorkContext } from './git-lab.ts';

/** Changes of exactly these paths of the workspace, given by their keys. */
export async function* changesAt(
  files: GuestFiles,
  keys: Iterable<string>,
  request: Pick<ChangesRequest, 'hasContent' | 'largestContent'>,
  { signal }: WorkContext,
): AsyncGenerator<Change> {
  const ask = (paths: readonly Buffer[]): AsyncIterable<Change> =>
    files.changes({ ...request, scope: 'workspace', isExact: true, paths }, { signal });
  let paths: Buffer[] = [];
  for (const key of keys) {
    if (paths.length === mostAsked) {
      yield* ask(paths);
      paths = [];
    }
    paths.push(Buffer.from(key, 'latin1'));
  }
  if (paths.length > 0) yield* ask(paths);
}
