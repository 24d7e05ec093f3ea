// The frames of an answer: lines of JSON, the last of which is the output or the error.
import type { IncomingMessage } from 'node:http';
import { StringDecoder } from 'node:string_decoder';
import { frameSchema } from '../contract/frames.ts';
import { errorFromReport, messageOf, PyroError } from '../shared/errors.ts';
import { isNoLongerWaiting } from '../shared/leaving.ts';
import type { OnProgress } from '../shared/progress.ts';

/** The output; `cancel` tells the daemon that the work is to end. Throws what the operation threw, `cancelled`, or `daemon_lost` when the answer ends without either. */
export async function readFrames(
  incoming: IncomingMessage,
  onProgress: OnProgress,
  signal: AbortSignal,
  cancel: () => Promise<void>,
): Promise<Readonly<Record<string, unknown>>> {
  const onAbort = (): void => {
    // Whoever only stops waiting closes the connection; what is to end is told so first.
    const told = isNoLongerWaiting(signal.reason) ? Promise.resolve() : cancel().catch(() => undefined);
    void told.finally(() => incoming.destroy());
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    for await (const line of lines(incoming)) {
      const frame = frameSchema.parse(JSON.parse(line));
      if ('output' in frame) return frame.output;
      if ('error' in frame) throw errorFromReport(frame.error);
      onProgress(frame.progress);
    }
    throw lost('its answer ended early');
  } finally {
    signal.removeEventListener('abort', onAbort);
    incoming.destroy();
  }
  // The signal's own reason is the error of a call that was aborted.
  async function* lines(source: IncomingMessage): AsyncGenerator<string> {
    const decoder = new StringDecoder('utf8');
    let parts: string[] = [];
    try {
      for await (const chunk of source) {
        const pieces = decoder.write(Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk))).split('\n');
        const rest = pieces.pop() ?? '';
        for (const piece of pieces) {
          yield parts.join('') + piece;
          parts = [];
        }
        parts.push(rest);
      }
    } catch (cause) {
      signal.throwIfAborted();
      throw lost(messageOf(cause), cause);
    }
    signal.throwIfAborted();
  }
}

/** The end of the daemon in the middle of a call; `followedBy` is the command that shows how the work continues. */
export function lost(why: string, cause?: unknown, followedBy?: string): PyroError {
  return new PyroError('daemon_lost', `the daemon ended during the call: ${why}`, {
    hint:
      followedBy === undefined
        ? 'call again: the daemon restarts by itself and takes over the guests, whose commands kept running'
        : `the command keeps running; follow it with: ${followedBy}`,
    cause,
  });
}
