// Where workspaces of this server come from: flags, roots, CLAUDE_PROJECT_DIR, the checkout of the working directory.
import { lstat, realpath, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { absolutePath } from '../operations/host-path-input.ts';
import { PyroError } from '../shared/errors.ts';
import type { OriginKind, ProjectSource } from '../shared/policy-types.ts';
import type { OnProgress } from '../shared/progress.ts';
import type { ServerOptions } from '../shared/server-options.ts';
import { checkoutAround } from '../system/checkout.ts';
import { readVariable } from '../system/environment-variables.ts';
import { chooseEnvironment } from './auto-environment.ts';
import { obtainRepository } from './repository.ts';

export interface Project {
  readonly source: ProjectSource | undefined;
  /** Environment of calls that name none */
  readonly environment: string;
  /** What the caller should know of these choices */
  readonly notes: readonly string[];
}

export interface ProjectContext {
  readonly cache: string;
  readonly cwd: string;
  /** Root folders as the host names them, `file:` addresses; empty when it names none */
  readonly roots: readonly string[];
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
}

interface Found {
  readonly path: string;
  readonly originKind: OriginKind;
  readonly originRef: string | null;
  readonly note?: string | undefined;
}

/** Throws `project_missing` when the person who runs the server named something that is not there. */
export async function resolveProject(options: ServerOptions, context: ProjectContext): Promise<Project> {
  const found = await findProject(options, context);
  const choice =
    options.environment === 'auto'
      ? await chooseEnvironment(found?.path)
      : { environment: options.environment, reason: undefined };
  const { environment, reason } = choice;
  return {
    source:
      found === undefined
        ? undefined
        : {
            path: found.path,
            originKind: found.originKind,
            originRef: found.originRef,
            includes: options.include,
            environment,
          },
    environment,
    notes: [
      ...(found?.note === undefined ? [] : [found.note]),
      ...(reason === undefined ? [] : [`environment ${environment} was chosen: ${reason}`]),
    ],
  };
}

async function findProject(options: ServerOptions, context: ProjectContext): Promise<Found | undefined> {
  if (options.no_project_source) return undefined;
  if (options.repo_url !== undefined) {
    const { path, origin, note } = await obtainRepository(context.cache, options.repo_url, options.repo_ref, context);
    return { path, originKind: 'repo_url', originRef: origin, note };
  }
  if (options.project_path !== undefined) {
    const path = await folderAt(absolutePath(options.project_path, context.cwd));
    if (path === undefined) {
      throw new PyroError('project_missing', `--project-path ${options.project_path} is not a folder`, {
        hint: 'the person who runs the server must correct the flag',
      });
    }
    return { path, originKind: 'project_path', originRef: path };
  }
  const fromRoots = await firstUsable(context.roots.flatMap(pathOfRoot));
  if (fromRoots !== undefined) return { path: fromRoots, originKind: 'roots', originRef: fromRoots };
  const named = readVariable('CLAUDE_PROJECT_DIR');
  const fromVariable = named !== undefined && isAbsolute(named) ? await firstUsable([named]) : undefined;
  if (fromVariable !== undefined) return { path: fromVariable, originKind: 'cwd', originRef: fromVariable };
  const folder = await folderAt(context.cwd);
  const checkout = folder === undefined ? undefined : await checkoutAround(folder);
  return checkout === undefined ? undefined : { path: checkout, originKind: 'cwd', originRef: checkout };
}

function pathOfRoot(address: string): string[] {
  // Some hosts give the path itself.
  if (isAbsolute(address)) return [address];
  try {
    return [fileURLToPath(address)];
  } catch {
    // Roots of other kinds than file: are allowed by the protocol and mean nothing here.
    return [];
  }
}

/** A checkout before a plain folder. The home folder and `/` are where a host was started, not what someone works on. */
async function firstUsable(candidates: readonly string[]): Promise<string | undefined> {
  const folders: string[] = [];
  for (const candidate of candidates) {
    const path = await folderAt(candidate);
    if (path === undefined) continue;
    if (await isCheckout(path)) return path;
    if (path !== '/' && path !== (await realpath(homedir()).catch(() => homedir()))) folders.push(path);
  }
  return folders[0];
}

async function folderAt(path: string): Promise<string | undefined> {
  try {
    const real = await realpath(path);
    return (await stat(real)).isDirectory() ? real : undefined;
  } catch {
    // Not there, or not ours to see: the next source is asked.
    return undefined;
  }
}

/** A worktree and a submodule have a file of that name. */
async function isCheckout(path: string): Promise<boolean> {
  return (await lstat(join(path, '.git')).catch(() => undefined)) !== undefined;
}
