// The output of a service: its newest lines, or one stream from a byte offset on, even while it comes.

import type { ServiceLogsInput, ServiceLogsOutput } from '../../contract/services.ts';
import { PyroError } from '../../shared/errors.ts';
import { waitForAny } from '../../shared/waiting.ts';
import type { StreamLog } from '../output/stream-log.ts';
import { beyondPage, decodeSlice, trailingRest, wholePage } from '../output/text.ts';
import type { Service } from './service.ts';
import { isAlive } from './service-record.ts';

const newline = 0x0a;

export async function readServiceLogs(
  workspaceId: string,
  service: Service,
  request: ServiceLogsInput,
  signal: AbortSignal,
): Promise<ServiceLogsOutput> {
  const { stream, cursor } = request;
  if (cursor === undefined) return await readTail(workspaceId, service, request, signal);
  if (stream === 'both') {
    throw new PyroError('usage', 'a cursor counts the bytes of one stream', { hint: 'give stream: stdout or stderr' });
  }
  return await readPage(workspaceId, service, { ...request, stream, cursor }, signal);
}

async function readPage(
  workspaceId: string,
  service: Service,
  request: ServiceLogsInput & { readonly stream: 'stdout' | 'stderr'; readonly cursor: number },
  signal: AbortSignal,
): Promise<ServiceLogsOutput> {
  const { stream, cursor, limit } = request;
  const log = service.logs[stream];
  if (cursor > log.end) {
    throw new PyroError(
      'usage',
      `${stream} of ${service.record.name} has ${log.end} bytes, but the cursor is ${cursor}`,
    );
  }
  await waitForMore(service, [log], () => log.end > cursor, request.wait_seconds, signal);
  // The state first: output that comes after its end does not exist.
  const isOver = !isAlive(service.record);
  const { from, bytes } = await log.read(cursor, limit + beyondPage);
  const whole = wholePage(bytes, limit, isOver && from + bytes.length >= log.end);
  const next = from + whole.length;
  // Where older bytes are gone, a character may have lost its beginning.
  const { text, isUtf8 } = decodeSlice(whole, from === cursor, true);
  return {
    ...service.view(workspaceId),
    stdout: stream === 'stdout' ? text : '',
    stderr: stream === 'stderr' ? text : '',
    tail_lines: request.tail_lines,
    truncated: next < log.end,
    is_utf8: isUtf8,
    dropped_bytes: from - cursor,
    next_cursor: isOver && next >= log.end ? null : next,
  };
}

/** With a wait: what is there when something new has come. */
async function readTail(
  workspaceId: string,
  service: Service,
  request: ServiceLogsInput,
  signal: AbortSignal,
): Promise<ServiceLogsOutput> {
  const { stdout, stderr } = service.logs;
  const before = stdout.end + stderr.end;
  await waitForMore(service, [stdout, stderr], () => stdout.end + stderr.end > before, request.wait_seconds, signal);
  const isOver = !isAlive(service.record);
  const out = request.stream === 'stderr' ? untouched(stdout) : await tailOf(stdout, request, isOver);
  const err = request.stream === 'stdout' ? untouched(stderr) : await tailOf(stderr, request, isOver);
  return {
    ...service.view(workspaceId),
    // Where this text ends, so that a reader who continues there misses nothing and sees nothing twice.
    stdout_bytes: out.end,
    stderr_bytes: err.end,
    stdout: out.text,
    stderr: err.text,
    tail_lines: request.tail_lines,
    truncated: out.isCut || err.isCut,
    is_utf8: out.isUtf8 && err.isUtf8,
    dropped_bytes: 0,
    next_cursor: null,
  };
}

interface Tail {
  readonly text: string;
  readonly isUtf8: boolean;
  readonly isCut: boolean;
  /** Offset after the last byte of the text */
  readonly end: number;
}

function untouched({ end }: StreamLog): Tail {
  return { text: '', isUtf8: true, isCut: false, end };
}

async function tailOf(
  log: StreamLog,
  { tail_lines: lines, all, limit }: ServiceLogsInput,
  isOver: boolean,
): Promise<Tail> {
  const wanted = Math.max(log.start, log.end - limit);
  const { from, bytes: read } = await log.read(wanted, limit);
  const bytes = isOver ? read : read.subarray(0, read.length - trailingRest(read));
  const at = all ? 0 : startOfLines(bytes, lines);
  const { text, isUtf8 } = decodeSlice(bytes.subarray(at), at > 0 || from === 0, true);
  return { text, isUtf8, isCut: from + at > log.start, end: from + bytes.length };
}

function startOfLines(bytes: Buffer, lines: number): number {
  // A line break at the very end ends the last line; it does not begin another.
  let at = bytes.length - 1;
  for (let left = lines; at > 0; at--) {
    at = bytes.lastIndexOf(newline, at - 1);
    if (at < 0) return 0;
    left--;
    if (left === 0) return at + 1;
  }
  return 0;
}

async function waitForMore(
  service: Service,
  logs: readonly StreamLog[],
  hasMore: () => boolean,
  waitSeconds: number,
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + waitSeconds * 1000;
  for (;;) {
    const changes = logs.map((log) => log.changed());
    const left = deadline - performance.now();
    if (left <= 0 || hasMore() || !isAlive(service.record)) return;
    await waitForAny(changes, left, signal);
  }
}
