// Standard input and output as the wire of the server: it outlasts the end of its input until all that came has an answer.
import { type Readable, Transform, type Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import type { JSONRPCMessage, Transport } from '@modelcontextprotocol/server';
import { StdioServerTransport } from '@modelcontextprotocol/server/stdio';

/** Longest message that is read; more than the daemon takes of a call */
const longestMessage = 32 * 1024 * 1024;

export interface Wire {
  readonly transport: Transport;
  /** The input has ended, and each request in it has been answered or cancelled */
  readonly whenAnswered: Promise<void>;
  /** It cannot go on: the output is broken, or a message is longer than any may be */
  readonly whenBroken: Promise<Error | undefined>;
}

export function openWire(input: Readable, output: Writable): Wire {
  const held = wholeLines();
  // It looks through all that it holds at each piece that it gets, and so gets whole lines.
  const inner = new StdioServerTransport(held, output, { maxBufferSize: 2 * longestMessage });
  const answered = Promise.withResolvers<void>();
  const broken = Promise.withResolvers<Error | undefined>();
  const open = new Set<string | number>();
  let hasEnded = false;
  const settle = (id: unknown): void => {
    if (typeof id === 'string' || typeof id === 'number') open.delete(id);
    if (hasEnded && open.size === 0) answered.resolve();
  };
  const endInput = async (): Promise<void> => {
    // The last line may lack its end; an empty one means nothing.
    held.write('\n');
    while (held.writableLength > 0 || held.readableLength > 0) await setImmediate();
    hasEnded = true;
    settle(undefined);
  };
  input.pipe(held, { end: false });
  for (const event of ['end', 'close', 'error']) input.once(event, () => void endInput());
  output.once('error', (error) => broken.resolve(error));

  const transport: Transport = {
    start: async () => {
      inner.onmessage = (message: JSONRPCMessage) => {
        if ('method' in message && 'id' in message) open.add(message.id);
        transport.onmessage?.(message);
        if ('method' in message && message.method === 'notifications/cancelled') settle(message.params?.['requestId']);
      };
      let fault: Error | undefined;
      inner.onerror = (error) => {
        fault = error;
        transport.onerror?.(error);
      };
      inner.onclose = () => {
        broken.resolve(fault);
        transport.onclose?.();
      };
      await inner.start();
    },
    send: async (message) => {
      try {
        await inner.send(message);
      } finally {
        if (!('method' in message) && 'id' in message) settle(message.id);
      }
    },
    close: async () => await inner.close(),
  };
  return { transport, whenAnswered: answered.promise, whenBroken: broken.promise };
}

/** Passes on what ends with a line break, so that a long message is put together once. */
function wholeLines(): Transform {
  let parts: Buffer[] = [];
  let size = 0;
  return new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      const end = chunk.lastIndexOf(0x0a) + 1;
      size += chunk.length;
      if (end === 0) parts.push(chunk);
      const whole = end === 0 ? undefined : Buffer.concat([...parts, chunk.subarray(0, end)]);
      if (whole !== undefined) {
        parts = [chunk.subarray(end)];
        size = chunk.length - end;
      }
      if (size > longestMessage) done(new Error(`a message of more than ${longestMessage} bytes`));
      else done(null, whole);
    },
  });
}
