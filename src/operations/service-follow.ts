// Following a service: its newest lines, then what comes, until it is over or the reader leaves.

import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { z } from 'zod';
import { serviceLogsOutput } from '../contract/services.ts';
import { isPyroError, PyroError } from '../shared/errors.ts';
import { writeTo } from '../shared/write-to.ts';
import type { OperationContext } from './define.ts';
import { describeService } from './service-shapes.ts';

type Page = z.infer<typeof serviceLogsOutput>;
type StreamName = 'stdout' | 'stderr';
type ReadPage = (input: Readonly<Record<string, unknown>>) => Promise<Page>;

/** A read that finds nothing is asked again after so long, `s` */
const pollSeconds = 20;
const pageBytes = 1_048_576;
/** A daemon that was ended or replaced starts by itself at the next call */
const mostLosses = 5;
const betweenLossesMs = 200;

export interface FollowRequest {
  readonly workspace_id: string;
  readonly service_name: string;
  readonly stream: StreamName | 'both';
  readonly cursor?: number | undefined;
  readonly tail_lines: number;
  readonly all: boolean;
  readonly limit: number;
}

/** Gives the last line for the person: how the service ended, or nothing when they have left. */
export async function followService(
  { io, call, signal: outer }: OperationContext,
  request: FollowRequest,
): Promise<string> {
  if (call === undefined || io?.stdout === undefined || io.stderr === undefined) {
    throw new Error('this interface has no streams to follow output with');
  }
  const sinks = { stdout: io.stdout, stderr: io.stderr };
  const leaving = new AbortController();
  const leave = (): void => leaving.abort(new PyroError('cancelled', 'left'));
  const signal = AbortSignal.any([outer, leaving.signal]);
  const { workspace_id: id, service_name: name, stream, cursor } = request;
  const ids = { workspace_id: id, service_name: name };
  const read: ReadPage = async (input) =>
    await despiteLosses(
      async () => serviceLogsOutput.parse(await call('workspace.service.logs', { ...ids, ...input }, signal)),
      signal,
    );
  const release = io.onStarted({ signal: leave, resize: () => undefined });
  // A reader such as `head` that has seen enough.
  sinks.stdout.once('error', leave);
  sinks.stdout.once('close', leave);
  try {
    const { tail_lines, all, limit } = request;
    const first = cursor === undefined ? await read({ tail_lines, all, limit, stream }) : undefined;
    await writeTo(sinks.stdout, first?.stdout ?? '', signal);
    await writeTo(sinks.stderr, first?.stderr ?? '', signal);
    const begins = { stdout: first?.stdout_bytes ?? cursor ?? 0, stderr: first?.stderr_bytes ?? cursor ?? 0 };
    // A cursor counts the bytes of one stream; the daemon says so when both are asked for.
    if (cursor !== undefined) await read({ stream, cursor, limit: 1 });
    const streams = stream === 'both' ? (['stdout', 'stderr'] as const) : ([stream] as const);
    const [last] = await Promise.all(streams.map((each) => copy(each, begins[each], sinks[each], read, signal)));
    return last === undefined ? '' : `[service] ${describeService(last)}\n`;
  } catch (error) {
    outer.throwIfAborted();
    if (!leaving.signal.aborted && !isPyroError(error, 'output_closed')) throw error;
    return '';
  } finally {
    // Where one stream failed, nobody waits for the other.
    leave();
    sinks.stdout.off('error', leave);
    sinks.stdout.off('close', leave);
    release();
  }
}

/** Copies one stream from a byte on; gives the page at its end. */
async function copy(
  stream: StreamName,
  begin: number,
  sink: Writable,
  read: ReadPage,
  signal: AbortSignal,
): Promise<Page> {
  for (let cursor = begin; ; ) {
    const page = await read({ stream, cursor, limit: pageBytes, wait_seconds: pollSeconds });
    await writeTo(sink, page[stream], signal);
    if (page.next_cursor === null) return page;
    cursor = page.next_cursor;
  }
}

async function despiteLosses<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let losses = 0; ; losses++) {
    try {
      return await work();
    } catch (error) {
      if (!isPyroError(error, 'daemon_lost') || losses >= mostLosses) throw error;
      await sleep(betweenLossesMs, undefined, { signal });
    }
  }
}
