// A command in a workspace's guest, followed into its files from its start, or again after the daemon was replaced.
import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { GuestClient } from '../agent/guest-client.ts';
import type { GuestProcess } from '../agent/guest-process.ts';
import type { StartRequest } from '../agent/messages.ts';
import { isPyroError } from '../shared/errors.ts';
import { mebibyte } from '../shared/units.ts';
import type { CommandLog, CommandRecord, StreamName } from './command-log.ts';

/** Most output of one stream that is kept; what comes after is counted as cut, the command runs on */
const keptBytes = 256 * mebibyte;

/** A command under way. */
export interface CommandRun {
  readonly sequence: number;
  /** The record at its end; never rejects */
  readonly done: Promise<CommandRecord>;
  readonly signal: (name: string, scope: 'group' | 'all') => Promise<void>;
  /** Settles at the next output or at the end */
  readonly changed: () => Promise<void>;
}

/** Starts a command; the record has its process before the first output is waited for. */
export async function startCommand(
  client: GuestClient,
  log: CommandLog,
  record: CommandRecord,
  request: StartRequest,
  stdin: string | undefined,
  signal: AbortSignal,
): Promise<CommandRun> {
  const process = await client.start(request, { signal });
  const started = { ...record, process: process.id };
  await log.save(started);
  if (stdin !== undefined) void process.feed(Readable.from([Buffer.from(stdin)])).catch(() => undefined);
  return follow(process, log, started);
}

/** Goes on with a command from where its files stand. */
export async function followAgain(client: GuestClient, log: CommandLog, record: CommandRecord): Promise<CommandRun> {
  const offsets = await log.sizes(record.sequence);
  const process = await client.attach(record.process ?? '', offsets);
  return follow(process, log, record);
}

function follow(process: GuestProcess, log: CommandLog, record: CommandRecord): CommandRun {
  let wake = Promise.withResolvers<void>();
  const notify = (): void => {
    wake.resolve();
    wake = Promise.withResolvers<void>();
  };
  const done = copyToFiles(process, log, record, notify).finally(notify);
  return {
    sequence: record.sequence,
    done,
    signal: (name, scope) => process.signal(name, scope),
    changed: () => wake.promise,
  };
}

async function copyToFiles(
  process: GuestProcess,
  log: CommandLog,
  record: CommandRecord,
  notify: () => void,
): Promise<CommandRecord> {
  const files: Record<StreamName, FileHandle> = {
    stdout: await open(log.path(record.sequence, 'stdout'), 'a'),
    stderr: await open(log.path(record.sequence, 'stderr'), 'a'),
  };
  const sizes = await log.sizes(record.sequence);
  let isCut = record.cut;
  let ended: CommandRecord;
  try {
    const exit = await process.follow(async (stream, bytes) => {
      const kept = bytes.subarray(0, Math.max(0, keptBytes - sizes[stream]));
      isCut ||= kept.length < bytes.length;
      if (kept.length === 0) return;
      await files[stream].write(kept);
      sizes[stream] += kept.length;
      notify();
    });
    ended = {
      ...record,
      ended_at: Date.now() / 1000,
      exit_code: exit.timed_out ? 124 : exit.exit_code,
      timed_out: exit.timed_out,
      cut: isCut,
    };
    // Its output is on the host now; the guest need not keep it. A server that it has started goes on.
    await (exit.timed_out ? process.forget() : process.leave()).catch(() => undefined);
  } catch (error) {
    // The guest is gone, or this daemon lets go of it: the next one looks again.
    const isGone = !isPyroError(error, 'guest_unreachable');
    ended = { ...record, cut: isCut, lost: isGone, ended_at: isGone ? Date.now() / 1000 : null };
  } finally {
    await files.stdout.close();
    await files.stderr.close();
  }
  await log.save(ended).catch(() => undefined);
  return ended;
}
