// A command in a workspace's guest, followed into its files from its start, or again after the daemon was replaced.
import { type FileHandle, open as openFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { GuestClient } from '../../agent/guest-client.ts';
import type { GuestProcess } from '../../agent/guest-process.ts';
import type { TerminalSize } from '../../agent/messages.ts';
import type { CommandRecord } from '../../contract/records.ts';
import { isHostFault, isPyroError, type PyroError } from '../../shared/errors.ts';
import { mebibyte } from '../../shared/units.ts';
import type { CommandLog, StreamName } from './command-log.ts';
import type { LineShell, StartedLine } from './shell-line.ts';

/** Most output kept of one stream; the rest counts as cut, and the command keeps running */
const keptBytes = 256 * mebibyte;

/** A command under way. */
export interface CommandRun {
  readonly sequence: number;
  /** The record at its end; never rejects */
  readonly done: Promise<CommandRecord>;
  /** Why it was killed: its input cannot be read to its end. Never settles otherwise */
  readonly inputFailed: Promise<PyroError>;
  readonly signal: (name: string, scope: 'group' | 'all') => Promise<void>;
  readonly resize: (size: TerminalSize) => void;
  /** Settles at the next output or at the end */
  readonly changed: () => Promise<void>;
}

export interface StartedCommand {
  readonly run: CommandRun;
  readonly shell: LineShell;
}

/** Streams of a caller who watches while it runs. */
export interface LiveEnds {
  readonly stdin: Readable | undefined;
  /** Takes output at the reader's pace, and so slows the command down; rejects when the reader has gone */
  readonly show: ((stream: StreamName, bytes: Buffer) => Promise<void>) | undefined;
  /** Aborted when they leave: the command keeps running without them */
  readonly left: AbortSignal;
}

/** Starts a command; the record has its process before the first output is awaited. A failure leaves none. */
export async function startCommand(
  starting: Promise<StartedLine>,
  log: CommandLog,
  record: CommandRecord,
  live: LiveEnds,
): Promise<StartedCommand> {
  const { process, shell } = await starting;
  const started = { ...record, process: process.id };
  // Whose output cannot be kept is ended: nobody could read what it prints, nor find it again.
  await using undo = new AsyncDisposableStack();
  undo.defer(() => process.forget().catch(() => undefined));
  const output = await openOutput(log, record.sequence);
  undo.defer(output.close);
  await log.save(started);
  undo.move();
  const run = follow(process, log, started, output, live);
  if (live.stdin === undefined) return { run, shell };
  return { run: { ...run, inputFailed: feedInput(process, live.stdin, run.done) }, shell };
}

/** Partial input must not look complete: a command whose input fails never sees its end, and is killed. */
async function feedInput(process: GuestProcess, stdin: Readable, done: Promise<unknown>): Promise<PyroError> {
  const over = new AbortController();
  const end = (): void => over.abort();
  done.then(end, end);
  try {
    await process.feed(stdin, over.signal);
  } catch (error) {
    if (isPyroError(error, 'input_failed')) {
      await process.signal('KILL', 'all').catch(() => undefined);
      return error;
    }
  }
  return await new Promise(() => undefined);
}

/** Continues a command from where its files end. */
export async function followAgain(client: GuestClient, log: CommandLog, record: CommandRecord): Promise<CommandRun> {
  const output = await openOutput(log, record.sequence);
  try {
    const process = await client.attach(record.process ?? '', output.sizes);
    return follow(process, log, record, output);
  } catch (error) {
    await output.close();
    throw error;
  }
}

/** The files that a command's output goes to. */
interface OutputFiles {
  readonly files: Readonly<Record<StreamName, FileHandle>>;
  /** What they hold, `bytes` */
  readonly sizes: Record<StreamName, number>;
  readonly close: () => Promise<void>;
}

async function openOutput(log: CommandLog, sequence: number): Promise<OutputFiles> {
  await using open = new AsyncDisposableStack();
  const files = {
    stdout: open.use(await openFile(log.path(sequence, 'stdout'), 'a')),
    stderr: open.use(await openFile(log.path(sequence, 'stderr'), 'a')),
  };
  const sizes = await log.sizes(sequence);
  const kept = open.move();
  return { files, sizes, close: async () => await kept.disposeAsync() };
}

function follow(
  process: GuestProcess,
  log: CommandLog,
  record: CommandRecord,
  output: OutputFiles,
  live?: LiveEnds,
): CommandRun {
  let wake = Promise.withResolvers<void>();
  const notify = (): void => {
    wake.resolve();
    wake = Promise.withResolvers<void>();
  };
  const done = copyToFiles(process, log, record, output, live, notify).finally(notify);
  return {
    sequence: record.sequence,
    done,
    inputFailed: new Promise(() => undefined),
    signal: (name, scope) => process.signal(name, scope),
    // One that has just ended no longer has a terminal, which is not a failure.
    resize: (size) => void process.resize(size).catch(() => undefined),
    changed: () => wake.promise,
  };
}

async function copyToFiles(
  process: GuestProcess,
  log: CommandLog,
  record: CommandRecord,
  { files, sizes, close }: OutputFiles,
  live: LiveEnds | undefined,
  notify: () => void,
): Promise<CommandRecord> {
  let isShown = live?.show !== undefined && !live.left.aborted;
  let letGo = (): void => undefined;
  const leave = (): void => {
    isShown = false;
    letGo();
  };
  using _session = process.onClosed(leave);
  live?.left.addEventListener('abort', leave, { once: true });
  // No race with what lives as long as the guest: each would leave something there, for each piece of output.
  const show = async (stream: StreamName, bytes: Buffer): Promise<void> => {
    if (!isShown) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    letGo = resolve;
    live?.show?.(stream, bytes).then(resolve, leave);
    await promise;
  };
  let isCut = record.cut;
  let isOverdue = false;
  const overdue = onceOverdue(record, () => {
    isOverdue = true;
    process.cutOff();
  });
  let ended: CommandRecord;
  try {
    const exit = await process.follow(async (stream, bytes) => {
      const kept = bytes.subarray(0, Math.max(0, keptBytes - sizes[stream]));
      const written = kept.length === 0 ? 0 : await keep(files[stream], kept);
      isCut ||= written < bytes.length;
      sizes[stream] += written;
      if (written > 0) notify();
      await show(stream, bytes);
    });
    ended = {
      ...record,
      ended_at: Date.now() / 1000,
      exit_code: exit.timed_out ? 124 : exit.exit_code,
      timed_out: exit.timed_out,
      cut: isCut,
    };
  } catch (error) {
    // The time limit is the guest's to keep. One that does not is held to it here.
    const end = { ended_at: Date.now() / 1000, exit_code: 124, timed_out: true } as const;
    // The guest is gone, or this daemon is releasing it: the next one looks again.
    const isGone = !isPyroError(error, 'guest_unreachable');
    ended = isOverdue
      ? { ...record, ...end, cut: isCut }
      : { ...record, cut: isCut, lost: isGone, ended_at: isGone ? Date.now() / 1000 : null };
    if (isGone) await process.forget().catch(() => undefined);
  } finally {
    clearTimeout(overdue);
    // What a disk says at the end of a write is said of bytes that are lost anyway.
    await close().catch(() => undefined);
  }
  const isNoted = await log.save(ended).then(
    () => true,
    () => false,
  );
  // Its output is on the host now; the guest need not keep it. A server that it started keeps running. On a full disk the
  // guest keeps the end, so that another daemon can ask for it.
  if (isNoted && !ended.lost && ended.ended_at !== null) {
    await (ended.timed_out ? process.forget() : process.leave()).catch(() => undefined);
  }
  return ended;
}

/** Longest time that a timer can wait, `ms` */
const longestTimerMs = 2 ** 31 - 1;

function onceOverdue({ must_end_at: at }: CommandRecord, act: () => void): NodeJS.Timeout | undefined {
  if (at === undefined) return undefined;
  return setTimeout(act, Math.min(longestTimerMs, Math.max(0, at * 1000 - Date.now()))).unref();
}

/** Count of bytes that were kept: a disk of the host that is full or fails costs the record, not the command. */
async function keep(file: FileHandle, bytes: Buffer): Promise<number> {
  let written = 0;
  try {
    while (written < bytes.length) written += (await file.write(bytes, written)).bytesWritten;
  } catch (error) {
    if (!isHostFault(error)) throw error;
  }
  return written;
}
