// What one server shares between its calls: tools, the way to an operation, the project as far as it is known.
import { join } from 'node:path';
import { type FrontContext, loadCalls } from '../daemon/client.ts';
import type { AnyOperation, Outcome } from '../operations/define.ts';
import { type CallWords, toolCall } from '../shared/hint-words.ts';
import type { OnProgress } from '../shared/progress.ts';
import type { ServerOptions } from '../shared/server-options.ts';
import { type Log, openLog } from '../system/log.ts';
import { locatePaths, type Paths } from '../system/paths.ts';
import type { ToolFacts } from './catalogue.ts';
import type { Project } from './project.ts';
import { selectTools, type ToolEntry } from './tools.ts';

export type Invoke = (
  operation: AnyOperation,
  input: Readonly<Record<string, unknown>>,
  context: FrontContext,
) => Promise<Outcome>;

export interface ServerState {
  readonly version: string;
  readonly options: ServerOptions;
  readonly tools: readonly ToolEntry[];
  /** Calls in hints, by the tools that the server has */
  readonly words: CallWords;
  /** Operations are loaded soon after a list, or by the first call: a mere list need not wait for them */
  readonly operation: (name: string) => Promise<AnyOperation>;
  /** To be said when the tools were listed: what the first call needs is loaded soon after, while a model still thinks */
  readonly expectCalls: () => void;
  readonly invoke: Invoke;
  readonly paths: Paths;
  readonly cwd: string;
  readonly log: Log;
  /** Longest time until a call is answered, `ms` */
  readonly guardMs: number;
  readonly project: (roots: readonly string[], onProgress: OnProgress) => Promise<Project>;
}

export interface ServerStateParts {
  readonly options: ServerOptions;
  readonly version: string;
  readonly catalogue: readonly ToolFacts[];
  readonly operations: () => Promise<readonly AnyOperation[]>;
  readonly invoke: Invoke;
  /** The server's life: a clone that was begun continues when the call that wanted it is answered */
  readonly signal: AbortSignal;
  readonly guardMs?: number;
}

const defaultGuardMs = 45_000;
const repositoryFreshMs = 60_000;
/** A host that only asked whether there is a server has gone by then */
const loadsAfterMs = 200;

/** Touches nothing: what a mere list needs must be there at once. */
export function openServerState({
  options,
  version,
  catalogue,
  operations,
  invoke,
  signal,
  guardMs,
}: ServerStateParts): ServerState {
  const paths = locatePaths();
  const cwd = process.cwd();
  let repository: { readonly at: number; readonly project: Promise<Project> } | undefined;
  const project: ServerState['project'] = async (roots, onProgress) => {
    const { resolveProject } = await import('./project.ts');
    const resolved = (): Promise<Project> =>
      resolveProject(options, { cache: paths.cache, cwd, roots, signal, onProgress });
    if (options.repo_url === undefined) return await resolved();
    if (repository === undefined || performance.now() - repository.at > repositoryFreshMs) {
      const next = { at: performance.now(), project: resolved() };
      repository = next;
      next.project.catch(() => {
        // The next call tries again; this one gets the error where it waits.
        if (repository === next) repository = undefined;
      });
    }
    return await repository.project;
  };
  let isExpecting = false;
  const expectCalls = (): void => {
    if (isExpecting) return;
    isExpecting = true;
    setTimeout(() => {
      // What cannot be loaded is told by the call that needs it.
      Promise.all([operations(), loadCalls(), import('./project.ts')]).catch(() => undefined);
    }, loadsAfterMs).unref();
  };
  const tools = selectTools(catalogue, options);
  return {
    version,
    options,
    tools,
    words: toolCall(new Map(tools.map(({ facts, name }) => [facts.operation, name]))),
    operation: async (name) => {
      const found = (await operations()).find(({ definition }) => definition.name === name);
      if (found === undefined) throw new Error(`the catalogue of tools names an operation ${name} that does not exist`);
      return found;
    },
    expectCalls,
    invoke,
    paths,
    cwd,
    log: openLog(join(paths.state, 'logs', 'mcp.log')),
    guardMs: guardMs ?? defaultGuardMs,
    project,
  };
}
