// Writing to an output of ours at the pace of its reader, and what went wrong when that fails.
import type { Writable } from 'node:stream';
import { fullWords, isDiskFull, isPyroError, messageOf, PyroError, systemCodeOf } from './errors.ts';

/** Longest piece that is turned into bytes at once: a long text is never there twice */
const pieceCharacters = 65_536;

/** Writes and waits until the system has taken it. Throws `output_closed`, `output_failed`, or the signal's reason. */
export async function writeTo(stream: Writable, bytes: string | Uint8Array, signal?: AbortSignal): Promise<void> {
  for (const piece of typeof bytes === 'string' ? piecesOf(bytes) : [bytes]) {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = (): void => reject(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    stream.write(piece, (error) => (error == null ? resolve() : reject(outputError(error))));
    try {
      await promise;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }
}

/** Never cuts a character that is written as two. */
function* piecesOf(text: string): Generator<string> {
  for (let at = 0; at < text.length; ) {
    let end = Math.min(text.length, at + pieceCharacters);
    if (end < text.length && /[\uD800-\uDBFF]/.test(text.charAt(end - 1))) end--;
    yield text.slice(at, end);
    at = end;
  }
}

/** `output_closed` for a reader that has gone, `output_failed` for everything else. */
export function outputError(error: Error): PyroError {
  if (isPyroError(error)) return error;
  const code = systemCodeOf(error);
  if (code === 'EPIPE' || code === 'ECONNRESET') {
    return new PyroError('output_closed', 'the reader of the output has gone away', { cause: error });
  }
  const why = isDiskFull(error) ? `${fullWords(error)} on the device` : messageOf(error);
  return new PyroError('output_failed', `standard output could not be written in full: ${why}`, {
    hint: 'the output is incomplete: free some space or write elsewhere, then run the command again',
    cause: error,
  });
}
