// Reads an HTTP/2 stream chunk by chunk, also one that was closed before anyone began to read.
import type { Http2Stream } from 'node:http2';

/**
 * Chunks until the end. Throws what broke the stream, or an error that says so. Node's own iterator takes an HTTP/2
 * stream for broken as soon as both sides have sent their last frame, although what came waits to be read (Node 24).
 */
export async function* chunksIn(stream: Http2Stream): AsyncGenerator<Buffer> {
  let wake = (): void => undefined;
  const onEvent = (): void => wake();
  const events = ['readable', 'end', 'close', 'error'];
  for (const event of events) stream.on(event, onEvent);
  try {
    for (;;) {
      const chunk: unknown = stream.destroyed ? null : stream.read();
      if (Buffer.isBuffer(chunk)) yield chunk;
      else if (chunk !== null) throw new TypeError('a stream of something other than bytes');
      else if (stream.errored !== null) throw stream.errored;
      // A stream that the other side has reset ends, too, before its error is told.
      else if ((stream.rstCode ?? 0) !== 0) throw new Error(`the stream was reset: ${stream.rstCode}`);
      else if (stream.readableEnded) return;
      else if (stream.destroyed) throw new Error('the stream was closed before its end');
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    for (const event of events) stream.off(event, onEvent);
  }
}
