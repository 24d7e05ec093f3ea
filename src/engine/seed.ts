// Where the files of a new workspace come from: the call's own path, else the project of the server.
import { prepareProjectImage } from '../project/project-image.ts';
import { openProjectStore } from '../project/project-store.ts';
import type { CallContext } from '../shared/call-context.ts';
import type { Paths } from '../system/paths.ts';
import { permitHostPath } from './host-paths.ts';
import { emptySeed } from './workspace-list.ts';
import type { SeedView, WorkspaceCall } from './workspace-types.ts';

export interface PreparedSeed {
  readonly view: SeedView;
  /** Image of the project; absent for an empty workspace */
  readonly image: string | undefined;
}

/** Image for a guest that is thrown away. */
export async function prepareRunSeed(
  paths: Paths,
  path: string | undefined,
  context: CallContext,
): Promise<string | undefined> {
  if (path === undefined) return undefined;
  return (await prepareProjectImage(openProjectStore(paths.cache), { path, includes: [] }, context)).path;
}

export async function prepareSeed(paths: Paths, path: string | undefined, call: WorkspaceCall): Promise<PreparedSeed> {
  if (path === undefined && call.project === undefined) return { view: emptySeed, image: undefined };
  const from = path ?? call.project?.path ?? '';
  // A project of the server was chosen by the person who runs it.
  const real = path === undefined ? from : await permitHostPath(from, call.hostPaths);
  const request = { path: real, includes: path === undefined ? (call.project?.includes ?? []) : [] };
  const { path: image, summary } = await prepareProjectImage(openProjectStore(paths.cache), request, call);
  const view: SeedView = {
    ...summary,
    destination: '/workspace',
    origin_kind: path === undefined ? (call.project?.originKind ?? 'none') : 'explicit',
    origin_ref: path === undefined ? (call.project?.originRef ?? null) : path,
  };
  return { view, image };
}
