// Where the files of a new workspace come from.
import type { Paths } from '../system/paths.ts';
import { emptySeed } from './workspace-list.ts';
import type { SeedView, WorkspaceCall } from './workspace-types.ts';

export interface PreparedSeed {
  readonly view: SeedView;
  /** Image of the project; absent for an empty workspace */
  readonly image: string | undefined;
}

export async function prepareSeed(
  _paths: Paths,
  _path: string | undefined,
  _call: WorkspaceCall,
): Promise<PreparedSeed> {
  return { view: emptySeed, image: undefined };
}
