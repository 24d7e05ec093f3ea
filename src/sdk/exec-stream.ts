// A command in a workspace, followed while it runs: its output as it comes, then how it ended.
import { setTimeout as sleep } from 'node:timers/promises';
import { asPyroError, inWords, isPyroError, PyroError } from '../shared/errors.ts';
import { hintCall, methodCall } from '../shared/hint-words.ts';
import type { CallOptions } from './call-options.ts';
import type { InputOf, OutputOf, WorkspaceMethods } from './method-types.ts';

export type ExecStreamInput = Omit<InputOf<'workspace.exec'>, 'workspace_id' | 'wait_seconds' | 'output_bytes'>;

export type ExecEvent = ExecOutput | ExecExit;

/** A piece of output, whole characters only. */
export interface ExecOutput {
  readonly type: 'stdout' | 'stderr';
  /** Number of the command in its workspace */
  readonly sequence: number;
  readonly text: string;
  /** Where the piece begins in its stream, `bytes` */
  readonly offset: number;
}

/** The last event. */
export interface ExecExit {
  readonly type: 'exit';
  readonly sequence: number;
  /** 124 when its time was up */
  readonly exit_code: number;
  readonly timed_out: boolean;
  readonly duration_ms: number;
  readonly stdout_bytes: number;
  readonly stderr_bytes: number;
}

/** What the stream is made of. */
export interface ExecParts extends Pick<WorkspaceMethods, 'exec' | 'logs'> {
  /** Works even when the calls of the program are cancelled */
  readonly kill: (sequence: number) => Promise<unknown>;
}

type StreamName = ExecOutput['type'];
type LogEntry = OutputOf<'workspace.logs'>['entries'][number];

interface Page {
  readonly stream: StreamName;
  readonly offset: number;
  readonly entry: LogEntry;
  readonly next: number | null;
}

const pageBytes = 262_144;
const waitSeconds = 30;
/** The daemon may be replaced in the middle; the next call starts another, which continues with the command */
const mostLosses = 3;
/** A page may be empty although there is more: half a character, or a daemon that just takes over */
const emptyMs = 100;

/** Whoever leaves the loop early, or aborts the signal, ends the command. */
export async function* execStream(
  { exec, logs, kill }: ExecParts,
  input: ExecStreamInput,
  options: CallOptions = {},
): AsyncGenerator<ExecEvent, void, undefined> {
  const { sequence } = await exec({ ...input, wait_seconds: 0, output_bytes: 256 }, options);
  const reading = new AbortController();
  const signal = options.signal === undefined ? reading.signal : AbortSignal.any([options.signal, reading.signal]);
  const read = async (stream: StreamName, cursor: number): Promise<Page> => {
    const request = { sequence, stream, cursor, limit: pageBytes, wait_seconds: waitSeconds };
    const { entries, next_cursor: next } = await withoutLoss(() => logs(request, { signal }));
    const entry = entries[0];
    if (entry === undefined) throw new PyroError('internal', `the logs have no entry for command ${sequence}`);
    if (next === cursor && entry[stream] === '') await sleep(emptyMs, undefined, { signal });
    return { stream, offset: cursor, entry, next };
  };
  const pages = new Map<StreamName, Promise<Page>>();
  const turn = (stream: StreamName, cursor: number): void => {
    const page = read(stream, cursor);
    // Told where it is waited for; nobody waits for the other stream's page when one has failed.
    page.catch(() => undefined);
    pages.set(stream, page);
  };
  let isOver = false;
  try {
    turn('stdout', 0);
    turn('stderr', 0);
    for (;;) {
      const { stream, offset, entry, next } = await Promise.race(pages.values());
      if (next === null) pages.delete(stream);
      else turn(stream, next);
      isOver = pages.size === 0;
      if (entry[stream] !== '') yield { type: stream, sequence, text: entry[stream], offset };
      if (!isOver) continue;
      yield exitOf(entry);
      return;
    }
  } catch (error) {
    // What has gone wrong first is what is told.
    if (!isOver) await kill(sequence).catch(() => undefined);
    isOver = true;
    throw inWords(asPyroError(error), methodCall);
  } finally {
    reading.abort();
    if (!isOver) await killLeft(kill, sequence);
  }
}

function exitOf({ sequence, exit_code, timed_out, duration_ms, stdout_bytes, stderr_bytes }: LogEntry): ExecExit {
  if (exit_code === null) {
    throw new PyroError('guest_unreachable', `the guest ended while command ${sequence} ran`, {
      hint: `its output so far: ${hintCall('workspace.logs', { sequence })}`,
    });
  }
  return { type: 'exit', sequence, exit_code, timed_out, duration_ms, stdout_bytes, stderr_bytes };
}

/** Reading the same page again harms nothing. */
async function withoutLoss<T>(read: () => Promise<T>): Promise<T> {
  for (let losses = 1; ; losses++) {
    try {
      return await read();
    } catch (error) {
      if (!isPyroError(error, 'daemon_lost') || losses >= mostLosses) throw error;
    }
  }
}

async function killLeft(kill: ExecParts['kill'], sequence: number): Promise<void> {
  try {
    await kill(sequence);
  } catch (error) {
    // It has ended by itself meanwhile, or its workspace has.
    if (!isPyroError(error, 'command_ended', 'workspace_unknown', 'workspace_stopped')) throw error;
  }
}
