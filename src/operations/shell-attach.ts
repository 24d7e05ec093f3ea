// workspace.shell.attach: the terminal of a person on a shell, until one of them leaves.

import type { Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { z } from 'zod';
import type { RunIo } from '../contract/call.ts';
import { shellIdField, shellReadOutput, shellSchema } from '../contract/shells.ts';
import { workspaceIdField } from '../contract/workspaces.ts';
import { PyroError } from '../shared/errors.ts';
import { inputError } from '../shared/input-error.ts';
import { writeTo } from '../shared/write-to.ts';
import { type CallOperation, defineOperation } from './define.ts';

const shellListOutput = z.object({ shells: z.array(shellSchema) });

/** A read that finds nothing is asked again after so long, `s` */
const pollSeconds = 20;
/** Without a terminal, so long a silence after the end of input ends it, `ms` */
const silenceMs = 300;
const escapeKey = String.fromCharCode(27);
/** Leaves what a program may have left on: its own screen, a hidden cursor, mouse reports, colours */
const restoreTerminal = `${escapeKey}[?1049l${escapeKey}[?1000l${escapeKey}[?1002l${escapeKey}[?1003l${escapeKey}[?1006l${escapeKey}[?2004l${escapeKey}[?25h${escapeKey}[0m\r\n`;

export const shellAttach = defineOperation({
  name: 'workspace.shell.attach',
  title: 'Attach to a shell',
  summary: 'Attach your terminal to a shell',
  details:
    'Without a shell id: the running one, or a new one if none is running. The shell keeps running when you leave, with the detach key or by closing your window.',
  effect: 'write',
  place: 'front',
  isLive: true,
  short: 'sh',
  findsWorkspace: true,
  positionals: ['workspace_id', 'shell_id'],
  input: z.strictObject({
    workspace_id: workspaceIdField,
    shell_id: shellIdField.optional(),
    detach_key: z
      .string()
      .regex(/^ctrl-[a-z@[\]\\^_]$/, 'a detach key is ctrl- followed by a letter or one of @ [ \\ ] ^ _')
      .default('ctrl-]')
      .describe('Key that leaves the shell'),
  }),
  output: z.object({
    workspace_id: z.string(),
    shell_id: z.string(),
    left: z.enum(['detached', 'ended']),
    exit_code: z.number().nullable(),
  }),
  examples: [
    { why: 'A terminal in the workspace; Ctrl-] leaves it', command: 'pyro workspace shell attach 6f1e538c0e71' },
    { why: 'One of several shells', command: 'pyro workspace shell attach 6f1e538c0e71 c7cd34864680' },
  ],
  run: async ({ io, call, signal }, { workspace_id: id, shell_id: given, detach_key: key }) => {
    if (call === undefined) throw new Error('attach needs a terminal');
    if (io?.stdout === undefined) throw new PyroError('not_a_terminal', 'attach shows a terminal, not JSON');
    const shell = given ?? (await findShell(id, io, call, signal));
    const exitCode = await attach(
      { id: { workspace_id: id, shell_id: shell }, io, stdout: io.stdout, call, detach: codeOfKey(key) },
      signal,
    );
    if (exitCode === null) throw new PyroError('guest_unreachable', 'the guest ended before the shell did');
    const left = exitCode === undefined ? ('detached' as const) : ('ended' as const);
    return {
      workspace_id: id,
      shell_id: shell,
      left,
      exit_code: exitCode ?? null,
    };
  },
  render: ({ workspace_id: id, shell_id: shell, left, exit_code: exitCode }) =>
    left === 'ended'
      ? `[shell] ended, exit code ${exitCode}\n`
      : `[shell] detached; reattach with: pyro workspace shell attach ${id} ${shell}\n`,
  exitCode: ({ exit_code: exitCode }) => exitCode ?? 0,
});

/** The only shell that runs, or a new one. Throws `usage` if it is not clear which. */
async function findShell(id: string, { terminal }: RunIo, call: CallOperation, signal: AbortSignal): Promise<string> {
  const { shells } = shellListOutput.parse(await call('workspace.shell.list', { workspace_id: id }, signal));
  const [first, ...others] = shells.filter(({ state }) => state === 'running').map((shell) => shell.shell_id);
  if (first === undefined) {
    const opened = await call('workspace.shell.open', { workspace_id: id, ...terminal }, signal);
    return shellSchema.parse(opened).shell_id;
  }
  if (others.length === 0) return first;
  throw new PyroError('usage', `several shells are running: ${[first, ...others].join(', ')}`, {
    hint: `name one: pyro workspace shell attach ${id} ${first}`,
  });
}

interface Attachment {
  readonly id: { readonly workspace_id: string; readonly shell_id: string };
  readonly io: RunIo;
  readonly stdout: Writable;
  readonly call: CallOperation;
  readonly detach: number;
}

/** The exit code of the shell; undefined when it continues. */
async function attach(
  { id, io, stdout, call, detach }: Attachment,
  outer: AbortSignal,
): Promise<number | null | undefined> {
  const leaving = new AbortController();
  const signal = AbortSignal.any([outer, leaving.signal]);
  const leave = (): void => leaving.abort(new PyroError('cancelled', 'detached'));
  const resize = async (size: { cols: number; rows: number }): Promise<void> => {
    await call('workspace.shell.resize', { ...id, ...size }, signal);
  };
  const read = async (input: Readonly<Record<string, unknown>>) =>
    shellReadOutput.parse(await call('workspace.shell.read', { ...id, ...input }, signal));

  if (io.terminal !== undefined) await resize(io.terminal);
  const first = await read({ redraw: true });
  const release = io.onStarted({
    // The terminal sends keys as they are, so a signal is meant for this process.
    signal: leave,
    resize: (size) => void resize(size).catch(() => undefined),
  });
  await writeTo(
    stdout,
    io.terminal === undefined ? first.output : `${escapeKey}[2J${escapeKey}[H${first.output}`,
    signal,
  );
  let failure: PyroError | undefined;
  const onInputFailed = (error: Error): void => {
    failure = inputError(error);
    leave();
  };
  io.stdin?.once('error', onInputFailed);
  const typing = typeInto({ id, io, stdout, call, detach }, signal, leave);
  try {
    if (first.state === 'stopped') return first.exit_code;
    for (let cursor = first.next_cursor; ; ) {
      const quiet = typing.isOver() ? { wait_for_idle_ms: silenceMs, wait_seconds: 1 } : { wait_seconds: pollSeconds };
      const page = await read({ cursor, max_chars: 65_536, ...quiet });
      await writeTo(stdout, page.output, signal);
      if (page.state === 'stopped' && !page.truncated) return page.exit_code;
      if (typing.isOver() && page.next_cursor === cursor) return undefined;
      cursor = page.next_cursor;
    }
  } catch (error) {
    outer.throwIfAborted();
    if (failure !== undefined) throw failure;
    if (!leaving.signal.aborted) throw error;
    return undefined;
  } finally {
    typing.stop();
    io.stdin?.off('error', onInputFailed);
    release();
    if (io.terminal !== undefined) stdout.write(restoreTerminal);
  }
}

/** Sends what is typed, in order, one call at a time: what comes meanwhile goes together. */
function typeInto(
  { id, io, call, detach }: Attachment,
  signal: AbortSignal,
  leave: () => void,
): { isOver: () => boolean; stop: () => void } {
  const decoder = new StringDecoder('utf8');
  let waiting = '';
  let isSending = false;
  let hasEnded = false;
  let isLeaving = false;
  const send = async (): Promise<void> => {
    if (isSending) return;
    isSending = true;
    try {
      while (waiting !== '') {
        const input = waiting;
        waiting = '';
        await call('workspace.shell.write', { ...id, input, append_newline: false }, signal);
      }
    } catch {
      // A shell that has ended, or is out of reach, is told by the reader.
    } finally {
      isSending = false;
      if (isLeaving) leave();
    }
  };
  const onData = (chunk: Buffer): void => {
    const at = chunk.indexOf(detach);
    waiting += decoder.write(at < 0 ? chunk : chunk.subarray(0, at));
    isLeaving ||= at >= 0;
    void send();
  };
  const onEnd = (): void => {
    hasEnded = true;
  };
  io.stdin?.on('data', onData);
  io.stdin?.once('end', onEnd);
  return {
    isOver: () => hasEnded && !isSending,
    stop: () => {
      io.stdin?.off('data', onData);
      io.stdin?.off('end', onEnd);
      io.stdin?.pause();
    },
  };
}

function codeOfKey(key: string): number {
  return key.slice('ctrl-'.length).toUpperCase().charCodeAt(0) - 64;
}
