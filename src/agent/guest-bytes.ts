// Bytes that come from a guest as a stream: each wait with a deadline, each path checked.
import type { ClientHttp2Stream } from 'node:http2';
import { PyroError } from '../shared/errors.ts';
import { chunksIn } from '../system/stream-chunks.ts';
import type { CallOptions } from './answers.ts';
import { deepestPath, longestPath } from './file-messages.ts';
import { unreachable } from './refusals.ts';

/** Longest silence of a guest that is sending, `ms` */
const silenceMs = 120_000;

/** What a guest sends, until it has sent all; a stream that is cut off throws `guest_unreachable`. */
export async function* chunksOf(stream: ClientHttp2Stream, options: CallOptions): AsyncGenerator<Buffer> {
  const chunks = chunksIn(stream);
  try {
    for (;;) {
      const timer = setTimeout(() => stream.destroy(new Error('deadline')), options.timeoutMs ?? silenceMs);
      const next = await chunks.next().finally(() => clearTimeout(timer));
      if (next.done === true) return;
      yield next.value;
    }
  } catch (error) {
    options.signal?.throwIfAborted();
    throw error instanceof PyroError ? error : unreachable('the stream was cut off');
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
