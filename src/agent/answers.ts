// Answers of a guest to single calls: a head that tells success, a body with bounds, a shape that is checked; each with a deadline.
import type { ClientHttp2Stream, IncomingHttpHeaders, IncomingHttpStatusHeader } from 'node:http2';
import type { z } from 'zod';
import { PyroError } from '../shared/errors.ts';
import { chunksIn } from '../system/stream-chunks.ts';
import { refusal, unreachable } from './refusals.ts';

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number;
}

export const longestAnswer = 1024 * 1024;
const defaultTimeoutMs = 30_000;

/** The answer's head; the wait begins again when the guest takes what it is sent. Throws an answer that is no success. */
export async function expectSuccess(stream: ClientHttp2Stream, options: CallOptions): Promise<IncomingHttpHeaders> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingHttpHeaders & IncomingHttpStatusHeader>();
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
  const timer = setTimeout(() => {
    reject(unreachable(`no answer within ${timeoutMs} ms`));
    stream.destroy();
  }, timeoutMs);
  const onClose = (): void =>
    reject(options.signal?.aborted === true ? options.signal.reason : unreachable('the connection was lost'));
  stream.once('response', (headers) => resolve(headers));
  stream.once('close', onClose).on('drain', () => timer.refresh());
  try {
    const headers = await promise;
    const status = headers[':status'] ?? 0;
    if (status >= 200 && status < 300) return headers;
    throw refusal(status, await readAll(stream, options));
  } finally {
    clearTimeout(timer);
    stream.off('close', onClose);
  }
}

/** All bytes of an answer, which may be no longer than the protocol, or the caller, allows. */
export async function readAll(
  stream: ClientHttp2Stream,
  options: CallOptions,
  mostBytes: number = longestAnswer,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  const timer = setTimeout(() => stream.destroy(new Error('deadline')), options.timeoutMs ?? defaultTimeoutMs);
  try {
    for await (const chunk of chunksIn(stream)) {
      size += chunk.length;
      if (size > mostBytes) {
        stream.destroy();
        throw new PyroError('guest_protocol', 'the guest sent an answer longer than the protocol allows');
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof PyroError) throw error;
    throw unreachable('the answer was cut off');
  } finally {
    clearTimeout(timer);
  }
}

export function parseAnswer<T>(bytes: Buffer, schema: z.ZodType<T>, path: string): T {
  try {
    return schema.parse(JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    throw new PyroError('guest_protocol', `the guest's answer to ${path} does not parse`, { cause });
  }
}
