// One command in a fresh guest: started, followed, ended, and the guest thrown away.

import { join, posix } from 'node:path';
import type { GuestProcess } from '../../agent/guest-process.ts';
import type { ExitEvent, StartRequest } from '../../agent/messages.ts';
import type { RunCall, RunIo } from '../../contract/call.ts';
import type { RunInput, RunOutput } from '../../contract/run.ts';
import type { Environment } from '../../environment/store.ts';
import { explainEnd } from '../../machine/guest-trouble.ts';
import type { Machine } from '../../machine/machine.ts';
import { SecretSet } from '../../secrets/secret-set.ts';
import { isPyroError, PyroError } from '../../shared/errors.ts';
import { writeTo } from '../../shared/write-to.ts';
import type { Paths } from '../../system/paths.ts';
import { againIfTakenAway } from '../../system/taken-away.ts';
import { prepareRunSeed } from '../calls/seed.ts';
import { noteOnProgram, withProgramNote } from '../commands/missing-program.ts';
import { noteOnNetwork } from '../commands/network-note.ts';
import { deniedConnections, GuestNetwork, grantFor, permitPackageSources } from '../guests/guest-network.ts';
import { runsFolder, startThrowAway, sweepRuns } from '../guests/throw-away.ts';
import { type CapturedStreams, newCaptures, streamsOf } from '../output/capture.ts';
import { checkContents } from './run-contents.ts';

/** Of each stream, what notes are made from, `bytes` */
const saidBytes = 16 * 1024;
const usualSeconds = 30;
const usualPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export async function runInGuest(
  machine: Machine,
  paths: Paths,
  environment: Environment,
  request: RunInput,
  outputBytes: number,
  context: RunCall,
): Promise<RunOutput> {
  const { io, network: ceiling } = context;
  await sweepRuns(paths);
  const grant = grantFor(request.network_policy, request.allow, ceiling);
  const packageSources = permitPackageSources(request.package_sources, ceiling);
  const size = { vcpuCount: request.vcpu_count, memoryMib: request.mem_mib };
  const { seed, started: made } = await againIfTakenAway(async () => {
    const projectImage = await prepareRunSeed(paths, request.seed_path, context);
    const start = { environment, size, isCold: request.cold, projectImage };
    return { seed: projectImage, started: await startThrowAway(machine, paths, start, context) };
  });
  await using started = made;
  const { guest } = started;
  await using undo = new AsyncDisposableStack();
  const check = undo.use(checkContents(paths, started, environment, seed));
  const network = new GuestNetwork(join(runsFolder(paths), started.id, 'network.jsonl'), grant, packageSources);
  undo.defer(() => network.closeAll());
  await network.open(guest.client, guest.networkSocket, context.signal);
  const secrets = new SecretSet([]);
  secrets.hide(network.secretValues);
  if (!secrets.isEmpty) guest.client.newOutputFilter = () => secrets.redactor();
  const startedAt = performance.now();
  const where = { environment: request.environment, package_sources: packageSources };
  const command = startRequest(request, environment, io, network.variables);
  const outcome = await guest
    .use(async () => {
      const process = await guest.client.start(command, { signal: context.signal }).catch((error: unknown) => {
        throw withProgramNote(error, where, request.command[0]);
      });
      return await followProcess(process, outputBytes, io, context.signal);
    })
    .catch(async (error: unknown) => {
      throw await explainEnd(withoutSteps(error), guest);
    });
  return {
    ...outcome.streams,
    vm_id: started.id,
    environment: request.environment,
    environment_version: environment.digest,
    command: [...request.command],
    exit_code: outcome.exit.timed_out ? 124 : outcome.exit.exit_code,
    timed_out: outcome.exit.timed_out,
    duration_ms: Math.round(performance.now() - startedAt),
    boot_ms: Math.round(started.bootMs),
    boot_source: started.bootSource,
    execution_mode: 'guest',
    accelerator: machine.choice.accelerator,
    denied_connections: deniedConnections(await network.refusedSince(0)),
    network_note: noteOnNetwork(network.isOn, outcome.exit.exit_code, outcome.said),
    program_note: noteOnProgram(where, outcome.exit.exit_code, outcome.said),
    damage_note: check.found ?? null,
    cleanup: { deleted: true, reason: 'post_exec_cleanup' },
  };
}

/** A guest that is thrown away has no workspace that could be stopped or reset. */
function withoutSteps(error: unknown): unknown {
  if (!isPyroError(error, 'guest_unresponsive')) return error;
  const { code, message, details } = error;
  return new PyroError(code, message, { hint: 'it is gone with its command; run it again', details, cause: error });
}

/** Time limit of the command, `s`; nobody wants the terminal that they sit at to end by itself. */
export function limitOf({ timeout_seconds: seconds }: RunInput, io: RunIo | undefined): number | undefined {
  return seconds ?? (io?.terminal === undefined ? usualSeconds : undefined);
}

/** The image's Env, WorkingDir and User hold unless the request says otherwise. */
function startRequest(
  request: RunInput,
  environment: Environment,
  io: RunIo | undefined,
  variables: Readonly<Record<string, string>>,
): StartRequest {
  const { config } = environment.record;
  const env: Record<string, string> = { PATH: usualPath };
  for (const pair of config.env) {
    const at = pair.indexOf('=');
    if (at > 0) env[pair.slice(0, at)] = pair.slice(at + 1);
  }
  const seconds = limitOf(request, io);
  const user = request.user ?? config.user;
  const ofImage = posix.resolve('/', config.working_dir);
  // With a project that is where it lies; else the image's own.
  const cwd = request.cwd ?? (request.seed_path === undefined ? ofImage : '/workspace');
  return {
    argv: [...request.command],
    env: { ...env, ...variables, ...request.env },
    cwd,
    // Images name folders that none of their layers holds.
    make_cwd: cwd === ofImage,
    ...(user === '' ? {} : { user }),
    stdin: io?.stdin !== undefined,
    ...(io?.terminal === undefined ? {} : { terminal: { ...io.terminal } }),
    ...(seconds === undefined ? {} : { timeout_ms: Math.round(seconds * 1000) }),
    buffer_bytes: 4 * 1024 * 1024,
    overflow: 'block',
  };
}

async function followProcess(
  process: GuestProcess,
  outputBytes: number,
  io: RunIo | undefined,
  signal: AbortSignal,
): Promise<{ exit: ExitEvent; streams: CapturedStreams; said: CapturedStreams }> {
  const captures = newCaptures(outputBytes);
  // Also of what is shown live, and of more than the result holds.
  const said = newCaptures(saidBytes);
  const sinks = { stdout: io?.stdout, stderr: io?.stderr };
  const inputEnd = new AbortController();
  const undo = io?.onStarted({
    // A process that has just ended takes no signal, and that is no failure.
    signal: (name) => void process.signal(name, 'group').catch(() => undefined),
    resize: (size) => void process.resize(size).catch(() => undefined),
  });
  let failure: PyroError | undefined;
  if (io?.stdin !== undefined) {
    process.feed(io.stdin, AbortSignal.any([signal, inputEnd.signal])).catch((error: unknown) => {
      if (!isPyroError(error, 'input_failed')) return;
      failure = error;
      // A part must not pass for the whole. One that cannot be told goes with its guest.
      void process.signal('KILL', 'all').catch(() => undefined);
    });
  }
  try {
    const exit = await process.follow(async (stream, bytes) => {
      const sink = sinks[stream];
      said[stream].add(bytes);
      if (sink === undefined) captures[stream].add(bytes);
      else await writeTo(sink, bytes, signal);
    });
    if (failure !== undefined) throw failure;
    return { exit, streams: streamsOf(captures), said: streamsOf(said) };
  } catch (error) {
    if (!isPyroError(error, 'guest_unreachable')) throw error;
    const { stdout, stderr } = streamsOf(said);
    throw new PyroError('guest_unreachable', 'the guest ended while the command ran', {
      hint: 'it was switched off, crashed, or ran out of memory (more: mem_mib); a workspace keeps what is on its disk, this guest is gone',
      details: { stdout, stderr },
      cause: error,
    });
  } finally {
    inputEnd.abort();
    undo?.();
  }
}
