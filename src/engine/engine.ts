// What the fronts' operations call, as types: in a front's own process there are no workspaces.
import type { createLocalEngine } from './local-engine.ts';
import type { createWorkspaces } from './workspaces.ts';

export type Workspaces = ReturnType<typeof createWorkspaces>;

export interface Engine extends ReturnType<typeof createLocalEngine> {
  /** Only in the process that owns the guests */
  readonly workspaces?: Workspaces;
}
