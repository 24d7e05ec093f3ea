// Bytes that come from a guest as a stream: each wait with a deadline, each path checked.
import type { ClientHttp2Stream } from 'node:http2';
import { PyroError } from '../shared/errors.ts';
import { chunksIn } from '../system/stream-chunks.ts';
import type { CallOptions } from './answers.ts';
import { deepestPath, longestPath } from './file-messages.ts';
import { unreachable } from './refusals.ts';

/** Longest silence of a guest that is sending, `ms` */
const silenceMs = 120_000;
/** Waiting that goes on and on must bring so much on the average, `bytes` a second */
const slowestPace = 4096;

/**
 * What a guest sends, until it has sent all; a stream that is cut off throws `guest_unreachable`, and so does one that is
 * silent for long, or that keeps its reader waiting again and again for next to nothing.
 */
export async function* chunksOf(stream: ClientHttp2Stream, options: CallOptions): AsyncGenerator<Buffer> {
  const chunks = chunksIn(stream);
  const longestMs = options.timeoutMs ?? silenceMs;
  let creditMs = longestMs;
  let isLate = false;
  try {
    for (;;) {
      const startedAt = performance.now();
      const timer = setTimeout(() => {
        isLate = true;
        stream.destroy(new Error('deadline'));
      }, creditMs);
      const next = await chunks.next().finally(() => clearTimeout(timer));
      if (next.done === true) return;
      // The time in which the reader is busy is not the guest's.
      const earnedMs = (next.value.length / slowestPace) * 1000;
      creditMs = Math.min(longestMs, creditMs - (performance.now() - startedAt) + earnedMs);
      yield next.value;
    }
  } catch (error) {
    options.signal?.throwIfAborted();
    throw error instanceof PyroError ? error : unreachable(isLate ? 'it sends too slowly' : 'the stream was cut off');
  } finally {
    stream.destroy();
  }
}

/** The bytes of a relative path. Throws `guest_protocol` when it could lead anywhere but below its root. */
export function relativePath(encoded: string): Buffer {
  const path = Buffer.from(encoded, 'base64');
  const parts = path.toString('latin1').split('/');
  if (path.length > longestPath || path.includes(0) || parts.some((part) => ['', '.', '..'].includes(part))) {
    throw brokenProtocol('a path that leads outside its root');
  }
  if (parts.length > deepestPath) {
    const name = JSON.stringify(parts.slice(0, 3).join('/').slice(0, 100));
    throw new PyroError('diff_too_large', `a path below ${name} goes through more than ${deepestPath} folders`, {
      hint: 'remove it in the guest, or give a path to compare less',
    });
  }
  return path;
}

export function brokenProtocol(what: string, cause?: unknown): PyroError {
  return new PyroError('guest_protocol', `the guest sent ${what}`, {
    hint: 'the guest is damaged or hostile; delete it and start another',
    ...(cause === undefined ? {} : { cause }),
  });
}
