// Commands in a workspace: started, waited for a while, signalled, and their output paged.
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GuestClient } from '../../agent/guest-client.ts';
import type { StartRequest } from '../../agent/messages.ts';
import type { RunIo, WorkspaceCall } from '../../contract/call.ts';
import type { ExecInput, ExecOutput, ExecSignalInput, ExecSignalOutput } from '../../contract/commands.ts';
import type { CommandRecord } from '../../contract/records.ts';
import { secretWords } from '../../secrets/secret-set.ts';
import { PyroError } from '../../shared/errors.ts';
import { hintCall } from '../../shared/hint-words.ts';
import { isNoLongerWaiting } from '../../shared/leaving.ts';
import { formatBytes, mebibyte } from '../../shared/units.ts';
import { waitForAny } from '../../shared/waiting.ts';
import { writeTo } from '../../shared/write-to.ts';
import { showOutput } from '../commands/command-output.ts';
import type { CommandRun, LiveEnds, StartedCommand } from '../commands/command-run.ts';
import { noteOnProgram } from '../commands/missing-program.ts';
import { noteOnNetwork } from '../commands/network-note.ts';
import { startLine } from '../commands/shell-line.ts';
import { deniedConnections } from '../guests/guest-network.ts';
import { noteSecretsFor } from '../output/audit-notes.ts';
import { baseEnvironment, guestPath, workspacePath } from '../workspace/guest-places.ts';
import type { HeldGuest } from '../workspace/shared-resources.ts';
import type { Workspace } from '../workspace/workspace.ts';

const progressMs = 1000;
/** So long a signal waits for a command that only starts, and how often it looks, `ms` */
const longestStartMs = 5000;
const startLookMs = 20;
const usualTimeoutSeconds = 600;
/** How long after a command's time limit its guest has to have told of the end: what it killed may still be writing */
const graceSeconds = 30;
/** How much of the output that was already shown is searched for notes, `bytes` */
const notedBytes = 8000;

/**
 * Runs a command line; one that outlasts `wait_seconds` continues and is told by `running`, and so does one whose caller only no
 * longer waits. One that is cancelled is killed.
 */
export async function execute(workspace: Workspace, request: ExecInput, call: WorkspaceCall): Promise<ExecOutput> {
  const deadline = performance.now() + request.wait_seconds * 1000;
  return await workspace.use(call, async ({ guest, restarted }: HeldGuest) => {
    const { io } = call;
    const cwd = guestPath(request.cwd ?? workspacePath);
    call.signal.throwIfAborted();
    const command = workspace.secrets.maskText(request.command);
    const shownCwd = workspace.secrets.maskText(cwd);
    const user = request.user === undefined ? undefined : workspace.secrets.maskText(request.user);
    const record = await workspace.log.begin(command, shownCwd, user);
    const { sequence } = record;
    const started = performance.now();
    const mark = await workspace.network.mark();
    const leaving = new AbortController();
    const { run, shell } = await start(
      workspace,
      guest.client,
      record,
      { ...request, cwd },
      leaving.signal,
      call,
    ).catch((error: unknown) => {
      leaving.abort();
      throw error;
    });
    await noteSecretsFor(workspace.audit, request.secret_env, `command ${sequence}`);
    const undo = io?.onStarted({
      signal: (name) => void run.signal(name, 'group').catch(() => undefined),
      resize: run.resize,
      followedBy: `pyro workspace logs ${workspace.record.id} --sequence ${sequence} --follow`,
    });
    let isOver = false;
    try {
      isOver = await waitWithProgress(run, workspace, deadline, call, io?.stdout !== undefined);
      // The result must not overtake output that still waits for its reader.
      for (const sink of [io?.stdout, io?.stderr]) {
        // A reader that has gone changes nothing of how the command went.
        if (sink !== undefined && !sink.destroyed)
          await writeTo(sink, Buffer.alloc(0), call.signal).catch(() => undefined);
      }
    } catch (error) {
      if (!isNoLongerWaiting(call.signal.reason)) {
        // A caller who cancels wants the command gone, with everything it started.
        await run.signal('KILL', 'all').catch(() => undefined);
        leaving.abort();
        await Promise.race([run.done, waitForAny([], 2000)]);
      }
      throw error;
    } finally {
      leaving.abort();
      undo?.();
    }
    const now = await workspace.log.get(sequence);
    // One that is over without an end has lost its guest, even if that is not recorded yet.
    if (now.lost || (isOver && now.ended_at === null))
      throw new PyroError('guest_unreachable', 'the guest ended while the command ran', {
        hint: `its output so far: ${hintCall('workspace.logs', { workspace_id: workspace.record.id, sequence })}; the next call restarts the guest from its disk, with everything that was synced`,
      });
    const isShown = io?.stdout !== undefined;
    const output = await showOutput(
      workspace.log,
      sequence,
      isShown ? notedBytes : request.output_bytes,
      now.ended_at !== null,
    );
    return {
      workspace_id: workspace.record.id,
      environment: workspace.record.environment,
      environment_version: workspace.record.environment_digest,
      command,
      cwd: shownCwd,
      sequence,
      running: now.ended_at === null,
      ...output,
      // Output that was shown live is not repeated.
      ...(isShown ? { stdout: '', stderr: '', truncated: false } : {}),
      exit_code: now.exit_code,
      timed_out: now.timed_out,
      duration_ms: Math.round(performance.now() - started),
      shell,
      execution_mode: 'guest',
      restarted,
      // It may belong to another command that ran at the same time: the guest only hints at who asked.
      denied_connections: deniedConnections(await workspace.network.refusedSince(mark)),
      network_note: noteOnNetwork(workspace.network.isOn, now.exit_code, output),
      program_note: noteOnProgram(workspace.record, now.exit_code, output),
    };
  });
}

async function start(
  workspace: Workspace,
  client: GuestClient,
  record: CommandRecord,
  request: ExecInput & { readonly cwd: string },
  left: AbortSignal,
  { io, signal }: WorkspaceCall,
): Promise<StartedCommand> {
  const { stdin } = request;
  const sinks = { stdout: io?.stdout, stderr: io?.stderr };
  const live: LiveEnds = {
    stdin: stdin === undefined ? io?.stdin : Readable.from([Buffer.from(stdin)]),
    show:
      io?.stdout === undefined
        ? undefined
        : async (stream, bytes) => {
            const sink = sinks[stream];
            if (sink !== undefined) await writeTo(sink, bytes, left);
          },
    left,
  };
  const wanted = startRequest(workspace, request, live.stdin !== undefined, io?.terminal);
  const startProcess = () => startLine(client, request.command, wanted);
  const { timeout_ms: limitMs } = wanted;
  const limited =
    limitMs === undefined ? record : { ...record, must_end_at: (Date.now() + limitMs) / 1000 + graceSeconds };
  return await workspace.runs.start(limited, startProcess, live, signal, async (run) => {
    await note(workspace, record, null, 0);
    void run.done.then(async (ended) => {
      const seconds = (ended.ended_at ?? record.started_at) - record.started_at;
      await note(workspace, record, ended.exit_code, Math.round(seconds * 1000));
      await workspace.touch();
    });
  });
}

async function note(
  workspace: Workspace,
  { sequence, command, cwd }: CommandRecord,
  exitCode: number | null,
  durationMs: number,
): Promise<void> {
  const last = workspace.record.last_command;
  if (last !== null && last.sequence > sequence) return;
  await workspace.touch({
    command_count: Math.max(workspace.record.command_count, sequence),
    last_command: {
      sequence,
      command: command.slice(0, 500),
      cwd,
      exit_code: exitCode,
      duration_ms: durationMs,
      execution_mode: 'guest',
    },
  });
}

function startRequest(
  { record, secrets, network }: Workspace,
  request: ExecInput & { readonly cwd: string },
  hasInput: boolean,
  terminal: RunIo['terminal'],
): Omit<StartRequest, 'argv'> {
  // An interactive terminal must not end by itself.
  const seconds = request.timeout_seconds ?? (terminal === undefined ? usualTimeoutSeconds : 0);
  const timeoutMs = Math.round(seconds * 1000);
  return {
    env: {
      ...baseEnvironment(record),
      ...network.variables,
      ...request.env,
      ...secrets.environment(secretWords(request.secret_env)),
    },
    cwd: request.cwd,
    // Images name folders that none of their layers contains.
    make_cwd: request.cwd === posix.resolve('/', record.image.working_dir),
    ...(request.user === undefined ? {} : { user: request.user }),
    stdin: hasInput,
    ...(terminal === undefined ? {} : { terminal: { ...terminal } }),
    ...(timeoutMs === 0 ? {} : { timeout_ms: timeoutMs }),
    buffer_bytes: 4 * mebibyte,
    overflow: 'block',
  };
}

/** True when it is over, false when the time is. */
async function waitWithProgress(
  run: CommandRun,
  workspace: Workspace,
  deadline: number,
  call: WorkspaceCall,
  isShown: boolean,
): Promise<boolean> {
  const started = performance.now();
  let isOver = false;
  const over = run.done.then(() => {
    isOver = true;
  });
  let failure: PyroError | undefined;
  const failed = run.inputFailed.then((error) => {
    failure = error;
  });
  while (!isOver) {
    const left = deadline - performance.now();
    if (left <= 0) return false;
    await waitForAny([over, failed], Math.min(progressMs, left), call.signal);
    if (failure !== undefined) throw failure;
    if (isOver || isShown) continue;
    const { stdout, stderr } = await workspace.log.sizes(run.sequence);
    const seconds = Math.round((performance.now() - started) / 1000);
    call.onProgress({ phase: 'exec', message: `running for ${seconds} s, ${formatBytes(stdout + stderr)} of output` });
  }
  return true;
}

/** Sends a signal to a running command. Throws `command_unknown` or `command_ended`. */
export async function signalCommand(
  workspace: Workspace,
  { workspace_id, sequence, signal_name: signal }: ExecSignalInput,
): Promise<ExecSignalOutput> {
  const run = await runOf(workspace, sequence);
  await run.signal(signal, 'group');
  await workspace.touch();
  return { workspace_id, sequence, signal };
}

/** The number of a command is known a moment before it runs: one that only starts is waited for. */
async function runOf(workspace: Workspace, sequence: number): Promise<CommandRun> {
  for (const until = performance.now() + longestStartMs; ; await sleep(startLookMs)) {
    const run = workspace.runs.get(sequence);
    if (run !== undefined) return run;
    const record = await workspace.log.get(sequence);
    if (record.ended_at !== null || record.lost) {
      const how = record.lost ? 'was lost when its guest ended' : `ended with exit code ${record.exit_code}`;
      throw new PyroError('command_ended', `command ${sequence} ${how}`, {
        hint: `its output: ${hintCall('workspace.logs', { workspace_id: workspace.record.id, sequence })}`,
      });
    }
    if (performance.now() > until)
      throw new PyroError('guest_unreachable', `command ${sequence} has not started yet, so it takes no signal`);
  }
}
