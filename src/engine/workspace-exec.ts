// Commands in a workspace: started, waited for a while, signalled, and their output paged.
import { posix } from 'node:path';
import type { GuestClient } from '../agent/guest-client.ts';
import type { StartRequest } from '../agent/messages.ts';
import { isPyroError, PyroError } from '../shared/errors.ts';
import { formatBytes, mebibyte } from '../shared/units.ts';
import type { CommandRecord } from './command-log.ts';
import { showOutput } from './command-output.ts';
import type { CommandRun } from './command-run.ts';
import type { ExecRequest, ExecResult } from './command-types.ts';
import { noteOnNetwork } from './network-note.ts';
import { waitForAny } from './waiting.ts';
import type { Workspace } from './workspace.ts';
import type { HeldGuest } from './workspace-house.ts';
import { deniedConnections } from './workspace-network.ts';
import type { WorkspaceRecord } from './workspace-record.ts';
import type { WorkspaceCall } from './workspace-types.ts';

export const workspacePath = '/workspace';
const usualPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const progressMs = 1000;

/** Runs a command line; one that outlasts `waitMs` goes on and is told by `running`. A cancelled one is killed. */
export async function execute(workspace: Workspace, request: ExecRequest, call: WorkspaceCall): Promise<ExecResult> {
  return await workspace.use(call, async ({ guest, restarted }: HeldGuest) => {
    const cwd = guestPath(request.cwd ?? workspacePath);
    const command = workspace.secrets.maskText(request.command);
    const shownCwd = workspace.secrets.maskText(cwd);
    const record = await workspace.log.begin(command, shownCwd, request.user);
    const started = performance.now();
    const mark = await workspace.network.mark();
    const run = await start(workspace, guest.client, record, { ...request, cwd }, call.signal);
    try {
      await waitWithProgress(run, workspace, request.waitMs, call);
    } catch (error) {
      // Whoever cancels wants the command gone, with all that it has started.
      await run.signal('KILL', 'all').catch(() => undefined);
      await Promise.race([run.done, waitForAny([], 2000)]);
      throw error;
    }
    const now = workspace.log.get(record.sequence);
    if (now.lost)
      throw new PyroError('guest_unreachable', 'the guest ended while the command ran', {
        hint: `its output so far: workspace_logs sequence=${record.sequence}`,
      });
    const output = await showOutput(workspace.log, record.sequence, request.outputBytes);
    const result: ExecResult = {
      workspace_id: workspace.record.id,
      environment: workspace.record.environment,
      environment_version: workspace.record.environment_digest,
      command,
      cwd: shownCwd,
      sequence: record.sequence,
      running: now.ended_at === null,
      ...output,
      exit_code: now.exit_code,
      timed_out: now.timed_out,
      duration_ms: Math.round(performance.now() - started),
      execution_mode: 'guest',
      restarted,
      // Other commands that run at the same time may be meant: the guest only hints at who asked.
      denied_connections: deniedConnections(await workspace.network.refusedSince(mark)),
      network_note: noteOnNetwork(workspace.network.isOn, now.exit_code, output),
    };
    return result;
  });
}

async function start(
  workspace: Workspace,
  client: GuestClient,
  record: CommandRecord,
  request: ExecRequest & { readonly cwd: string },
  signal: AbortSignal,
): Promise<CommandRun> {
  let run: CommandRun;
  try {
    run = await workspace.runs.start(client, record, startRequest(workspace, request), request.stdin, signal);
  } catch (error) {
    if (!isPyroError(error, 'command_not_found')) throw error;
    throw new PyroError('command_not_found', 'the environment has no shell (/bin/sh) to run the command line', {
      hint: 'use an environment with a shell; pyro run starts programs without one',
    });
  }
  await note(workspace, record, null, 0);
  void run.done.then(async (ended) => {
    const seconds = (ended.ended_at ?? record.started_at) - record.started_at;
    await note(workspace, record, ended.exit_code, Math.round(seconds * 1000));
    await workspace.touch();
  });
  return run;
}

async function note(
  workspace: Workspace,
  { sequence, command, cwd }: CommandRecord,
  exitCode: number | null,
  durationMs: number,
): Promise<void> {
  const last = workspace.record.last_command;
  if (last !== null && last.sequence > sequence) return;
  await workspace.update({
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
  request: ExecRequest & { readonly cwd: string },
): StartRequest {
  return {
    argv: ['/bin/sh', '-c', request.command],
    env: {
      ...baseEnvironment(record),
      ...network.variables,
      ...request.env,
      ...secrets.environment(request.secretEnv),
    },
    cwd: request.cwd,
    // Images name folders that none of their layers holds.
    make_cwd: request.cwd === posix.resolve('/', record.image.working_dir),
    ...(request.user === undefined ? {} : { user: request.user }),
    stdin: request.stdin !== undefined,
    ...(request.timeoutMs === 0 ? {} : { timeout_ms: request.timeoutMs }),
    buffer_bytes: 4 * mebibyte,
    overflow: 'block',
  };
}

/** The image's own variables, and what lets Git work in files that belong to another user. */
export function baseEnvironment(record: WorkspaceRecord): Record<string, string> {
  const env: Record<string, string> = { PATH: usualPath };
  for (const pair of record.image.env) {
    const at = pair.indexOf('=');
    if (at > 0) env[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return {
    // Git commits under this address where no setting names another; without any it refuses.
    EMAIL: 'pyro@localhost',
    ...env,
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'safe.directory',
    GIT_CONFIG_VALUE_0: '*',
  };
}

async function waitWithProgress(
  run: CommandRun,
  workspace: Workspace,
  waitMs: number,
  call: WorkspaceCall,
): Promise<void> {
  const started = Date.now();
  let isOver = false;
  const over = run.done.then(() => {
    isOver = true;
  });
  while (!isOver) {
    const left = started + waitMs - Date.now();
    if (left <= 0) return;
    await waitForAny([over], Math.min(progressMs, left), call.signal);
    if (isOver) return;
    const { stdout, stderr } = await workspace.log.sizes(run.sequence);
    const seconds = Math.round((Date.now() - started) / 1000);
    call.onProgress({ phase: 'exec', message: `running for ${seconds} s, ${formatBytes(stdout + stderr)} of output` });
  }
}

/** Absolute path in the guest; a relative one is under /workspace. */
export function guestPath(path: string): string {
  if (path.includes('\0')) throw new PyroError('usage', 'a path contains a zero byte');
  return posix.resolve(workspacePath, path);
}

/** Sends a signal to a running command. Throws `command_unknown` or `command_ended`. */
export async function signalCommand(workspace: Workspace, sequence: number, name: string): Promise<void> {
  const run = workspace.runs.get(sequence);
  if (run === undefined) {
    const record = workspace.log.get(sequence);
    throw new PyroError('command_ended', `command ${sequence} has ended with ${record.exit_code ?? 'its guest'}`, {
      hint: `its output: workspace_logs sequence=${sequence}`,
    });
  }
  await run.signal(name, 'group');
  await workspace.touch();
}
