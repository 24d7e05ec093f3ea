// How single paths of the guest stand, in as many questions as that takes.
import { type Change, type ChangesRequest, type GuestFiles, mostAsked } from '../agent/file-types.ts';
import type { WorkContext } from './git-lab.ts';

/** Changes of exactly these paths of the workspace, given by their keys. */
export async function* changesAt(
  files: GuestFiles,
  keys: readonly string[],
  request: Pick<ChangesRequest, 'hasContent' | 'largestContent'>,
  { signal }: WorkContext,
): AsyncGenerator<Change> {
  for (let from = 0; from < keys.length; from += mostAsked) {
    const paths = keys.slice(from, from + mostAsked).map((key) => Buffer.from(key, 'latin1'));
    yield* files.changes({ ...request, scope: 'workspace', isExact: true, paths }, { signal });
  }
}
