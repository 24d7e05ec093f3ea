// The host's own program: whether it is there, what it says of the entry, and running it without a terminal.
import { dirname } from 'node:path';
import { isPyroError, messageOf, PyroError } from '../shared/errors.ts';
import { type CommandResult, tryCommand } from '../system/command.ts';
import { exists } from '../system/files.ts';
import { findProgram } from '../system/find-program.ts';
import type { ConfigPlace, HostAdapter, HostVerdict, ServerEntry } from './adapter.ts';

/** Some hosts start every server that they list. */
const longestRunMs = 90_000;
const longestVersionMs = 20_000;

export interface InstalledHost {
  readonly path: string;
  /** As the program says it; undefined when it does not run */
  readonly version: string | undefined;
}

export async function findHost(adapter: HostAdapter, signal: AbortSignal): Promise<InstalledHost | undefined> {
  const path = findProgram(adapter.program);
  if (path === undefined) return undefined;
  try {
    const { stdout, exitCode } = await tryCommand(path, ['--version'], { signal, timeoutMs: longestVersionMs });
    const version = /\d+\.\d+[\w.+-]*/.exec(stdout)?.[0];
    return { path, version: exitCode === 0 ? version : undefined };
  } catch (error) {
    if (isPyroError(error, 'cancelled')) throw error;
    // A program that does not run has no version; that is told as such.
    return { path, version: undefined };
  }
}

/** Throws `host_missing` when nothing of the host is there: neither its program nor a place for its configuration. */
export async function requireHost(
  adapter: HostAdapter,
  place: ConfigPlace,
  program: string | undefined,
): Promise<void> {
  if (program !== undefined || place.scope === 'project' || (await exists(place.path))) return;
  const folder = dirname(place.path);
  if (place.format !== 'json' && (await exists(folder))) return;
  throw new PyroError(
    'host_missing',
    `${adapter.title} is not installed: ${adapter.program} is not on PATH and ${place.path} does not exist`,
    {
      hint: `install it with: ${adapter.installCommand}; this prints what belongs in its configuration: pyro host print-config ${adapter.name}`,
      details: { host: adapter.name },
    },
  );
}

async function runHost(
  program: string,
  args: readonly string[],
  options: { readonly folder: string; readonly signal: AbortSignal },
): Promise<CommandResult> {
  return await tryCommand(program, args, { cwd: options.folder, signal: options.signal, timeoutMs: longestRunMs });
}

/** What the host says of the entry. Throws `host_verify_failed` when it does not get on with it. */
export async function verify(
  adapter: HostAdapter,
  program: string,
  entry: ServerEntry,
  options: { readonly folder: string; readonly signal: AbortSignal },
): Promise<HostVerdict> {
  let verdict: HostVerdict;
  try {
    verdict = adapter.judge(await runHost(program, adapter.verifyArguments, options), entry);
  } catch (error) {
    if (isPyroError(error, 'cancelled')) throw error;
    verdict = { status: 'fail', text: messageOf(error) };
  }
  if (verdict.status !== 'fail') return verdict;
  throw new PyroError(
    'host_verify_failed',
    `the entry is written, but ${adapter.program} ${adapter.verifyArguments.join(' ')} says: ${verdict.text}`,
    { hint: `find out why with: pyro host doctor ${adapter.name}`, details: { host: adapter.name } },
  );
}
