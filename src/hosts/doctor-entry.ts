// One entry of a host, examined: does its command exist, is it what pyro would write, does the server answer in time.
import { realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute } from 'node:path';
import type { HostCheck } from '../contract/machine.ts';
import type { CallContext } from '../shared/call-context.ts';
import { isPyroError } from '../shared/errors.ts';
import { formatCount, formatDuration } from '../shared/units.ts';
import { tryCommand } from '../system/command.ts';
import { childEnvironment } from '../system/environment-variables.ts';
import { locateExecutable } from '../system/executable.ts';
import { exists } from '../system/files.ts';
import { findProgram } from '../system/find-program.ts';
import { type HostAdapter, leastCallTimeoutMs, type ServerEntry } from './adapter.ts';
import type { FoundEntry } from './find-entries.ts';
import { chooseLauncher, plainPath, programOf } from './launcher.ts';
import { type KnownCommand, readServerCommand, serverCommand } from './server-command.ts';
import { probeServer } from './server-probe.ts';

const longestStartMs = { installed: 20_000, npx: 90_000 } as const;
const longestVersionMs = 10_000;

export async function checkEntry(
  adapter: HostAdapter,
  { entry, isRepeated, others, place }: FoundEntry,
  folder: string,
  context: CallContext,
): Promise<HostCheck[]> {
  const fix = `pyro host repair ${adapter.name}`;
  if (entry === undefined) {
    return [{ name: 'command', status: 'fail', message: 'the entry is not a program that can be started', fix }];
  }
  const known = readServerCommand(entry.command);
  const command = await checkCommand(entry, known, fix, context);
  const checks: HostCheck[] = [command];
  if (isRepeated) {
    checks.push({ name: 'duplicate', status: 'fail', message: `the name appears twice in ${place.path}`, fix });
  }
  for (const [name, other] of others) {
    if (other.command.join('\0') !== entry.command.join('\0')) continue;
    const removal = adapter.removeCommand(name, place);
    checks.push({ name: 'duplicate', status: 'warn', message: `${name} runs the same server`, fix: removal });
  }
  if (!entry.isEnabled) checks.push({ name: 'enabled', status: 'fail', message: 'the entry is disabled', fix });
  if (known !== undefined) checks.push(await checkShape(entry, known, folder, fix));
  const calls = entry.callTimeoutMs;
  checks.push(
    calls !== undefined && calls < leastCallTimeoutMs
      ? { name: 'timeouts', status: 'warn', message: `calls are cut off after ${formatDuration(calls)}`, fix }
      : {
          name: 'timeouts',
          status: 'ok',
          message: `calls may take ${calls === undefined ? 'long enough' : formatDuration(calls)}`,
          fix: null,
        },
  );
  if (command.status !== 'fail') checks.push(await checkServer(entry, known, folder, fix, context));
  return checks;
}

async function checkCommand(
  { command }: ServerEntry,
  known: KnownCommand | undefined,
  fix: string,
  { signal }: CallContext,
): Promise<HostCheck> {
  const name = 'command';
  const program = command[0] ?? '';
  const path = findProgram(program);
  if (path === undefined) {
    const reason = isAbsolute(program)
      ? (await exists(program))
        ? 'is not executable'
        : 'does not exist'
      : 'is not on PATH';
    return { name, status: 'fail', message: `${program} ${reason}`, fix };
  }
  if (known === undefined)
    return { name, status: 'fail', message: `it starts something other than pyro: ${command.join(' ')}`, fix };
  if (known.isNpx) return { name, status: 'ok', message: `${known.launcher.join(' ')} (${path})`, fix: null };
  const [, ...rest] = known.launcher;
  const own = rest.length === 0 ? path : ((await programOf(known.launcher)) ?? known.launcher.at(-1) ?? path);
  const version = await versionOf(path, rest, signal);
  if (version === undefined) {
    const reason = (await exists(own)) ? 'does not run' : 'does not exist';
    return { name, status: 'fail', message: `${own} ${reason}`, fix };
  }
  if ((await realpath(own)) !== locateExecutable().realPath)
    return { name, status: 'warn', message: `${own} ${version} is a different pyro than this one`, fix };
  // A host that was not started from this shell has neither its PATH nor what else it has set.
  const bare = { HOME: homedir(), PATH: plainPath };
  if (!isAbsolute(program) || (await versionOf(path, rest, signal, bare)) === undefined) {
    const message = `${own} ${version} is found on the PATH of this shell, which a host started elsewhere may not have`;
    return { name, status: 'warn', message, fix };
  }
  return { name, status: 'ok', message: `${own} ${version}`, fix: null };
}

/** Undefined when it does not run; `env` is all that it sees, where given. */
async function versionOf(
  path: string,
  args: readonly string[],
  signal: AbortSignal,
  env?: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  try {
    const { exitCode, stdout } = await tryCommand(path, [...args, '--version'], {
      signal,
      timeoutMs: longestVersionMs,
      ...(env === undefined ? {} : { env, isEnvWhole: true }),
    });
    return exitCode === 0 ? stdout.trim() : undefined;
  } catch (error) {
    if (isPyroError(error, 'cancelled')) throw error;
    // It does not run: said by the caller.
    return undefined;
  }
}

async function checkShape(entry: ServerEntry, known: KnownCommand, folder: string, fix: string): Promise<HostCheck> {
  const name = 'shape';
  if (known.faults.length > 0) return { name, status: 'fail', message: known.faults.join('; '), fix };
  const canonical = serverCommand(await chooseLauncher(known.isNpx), known.server, folder);
  if (canonical.join('\0') === entry.command.join('\0'))
    return { name, status: 'ok', message: canonical.join(' '), fix: null };
  return { name, status: 'warn', message: `${entry.command.join(' ')} differs from ${canonical.join(' ')}`, fix };
}

async function checkServer(
  entry: ServerEntry,
  known: KnownCommand | undefined,
  folder: string,
  fix: string,
  { signal }: CallContext,
): Promise<HostCheck> {
  const name = 'server';
  const all = childEnvironment();
  const passed = entry.passedVariables;
  const env =
    passed === undefined ? all : Object.fromEntries(Object.entries(all).filter(([key]) => passed.includes(key)));
  const answer = await probeServer(entry.command, {
    env: { ...env, ...entry.env },
    cwd: folder,
    timeoutMs: longestStartMs[known?.isNpx === true ? 'npx' : 'installed'],
    signal,
  });
  if (!answer.isOk) return { name, status: 'fail', message: `it does not answer: ${answer.reason}`, fix };
  const message = `${answer.name} ${answer.version} answers with ${formatCount(answer.toolCount, 'tool')} after ${formatDuration(answer.ms)}`;
  const limit = entry.startTimeoutMs;
  if (limit !== undefined && answer.ms > limit) {
    return { name, status: 'fail', message: `${message}; the host waits ${formatDuration(limit)}`, fix };
  }
  return { name, status: 'ok', message, fix: null };
}
