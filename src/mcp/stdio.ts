// Standard input and output as the wire of the server: it outlasts the end of its input until all that came has an answer.
import type { Readable, Writable } from 'node:stream';
import { type JSONRPCMessage, serializeMessage, type Transport } from '@modelcontextprotocol/server';
import { mebibyte } from '../shared/units.ts';
import { LineCutter } from './message-lines.ts';
import { type Refusal, type RequestId, readMessage } from './read-message.ts';

/** Longest message that is read; more than the daemon takes of a call, `bytes` */
const longestMessage = 32 * mebibyte;
/** What may be waiting for its answer at once: a host that sends more is told so, and the memory of this process stays bounded */
const mostOpen = 1000;
const mostOpenBytes = 2 * longestMessage;
/** Progress is left out while so much waits to be read, `bytes` */
const mostUnread = mebibyte;

/** Of JSON-RPC, for what a server decides; and for what is no message */
const serverBusy = -32000;
const invalidRequest = -32600;

export interface Wire {
  readonly transport: Transport;
  /** The input has ended, and each request in it has been answered or cancelled */
  readonly whenAnswered: Promise<void>;
  /** It cannot go on: the output is broken */
  readonly whenBroken: Promise<Error | undefined>;
}

export function openWire(input: Readable, output: Writable): Wire {
  const lines = new LineCutter(longestMessage);
  const answered = Promise.withResolvers<void>();
  const broken = Promise.withResolvers<Error | undefined>();
  /** Requests without an answer, and how long each was */
  const open = new Map<RequestId, number>();
  let openBytes = 0;
  let hasEnded = false;
  let isClosed = false;

  const settle = (id: unknown): void => {
    if (typeof id === 'string' || typeof id === 'number') {
      openBytes -= open.get(id) ?? 0;
      open.delete(id);
    }
    if (hasEnded && open.size === 0) answered.resolve();
  };
  const write = async (text: string): Promise<void> => {
    await new Promise<void>((resolve, reject) => {
      output.write(text, (error) => (error == null ? resolve() : reject(error)));
    });
  };
  const refuse = ({ code, message, id }: Refusal): void => {
    void write(`${JSON.stringify({ jsonrpc: '2.0', id, error: { code, message } })}\n`).catch(broken.resolve);
    // Whoever sends rubbish and reads no answer is read no further.
    if (!output.writableNeedDrain) return;
    input.pause();
    output.once('drain', () => input.resume());
  };
  const take = (read: ReturnType<typeof readMessage>, bytes: number): void => {
    if (read === undefined || isClosed) return;
    if ('code' in read) {
      refuse(read);
      return;
    }
    // A subscription is answered when it ends, and nobody waits for that.
    const isCall = 'method' in read && 'id' in read && read.method !== 'subscriptions/listen';
    const busy = isCall ? refusalOf(read.id, bytes) : undefined;
    if (busy !== undefined) {
      refuse(busy);
      return;
    }
    if (isCall) {
      open.set(read.id, bytes);
      openBytes += bytes;
    }
    transport.onmessage?.(read);
    if ('method' in read && read.method === 'notifications/cancelled') settle(read.params?.['requestId']);
  };
  const refusalOf = (id: RequestId, bytes: number): Refusal | undefined => {
    if (open.has(id)) return { code: invalidRequest, message: 'a request of this id has no answer yet', id };
    if (open.size < mostOpen && openBytes + bytes <= mostOpenBytes) return undefined;
    return { code: serverBusy, message: `${open.size} requests have no answer yet: wait for some of them`, id };
  };
  const onData = (chunk: Buffer): void => {
    for (const line of lines.push(chunk)) take(readMessage(line, longestMessage), sizeOf(line));
  };
  const onEnd = (): void => {
    if (hasEnded) return;
    const last = lines.end();
    if (last !== undefined) take(readMessage(last, longestMessage), sizeOf(last));
    hasEnded = true;
    settle(undefined);
  };

  const transport: Transport = {
    start: async () => {
      output.once('error', (error) => broken.resolve(error));
      for (const event of ['end', 'close', 'error']) input.once(event, onEnd);
      input.on('data', onData);
    },
    send: async (message: JSONRPCMessage) => {
      const isProgress = 'method' in message && message.method === 'notifications/progress';
      if (isProgress && output.writableLength > mostUnread) return;
      try {
        await write(serializeMessage(message));
      } finally {
        if (!('method' in message) && 'id' in message) settle(message.id);
      }
    },
    close: async () => {
      if (isClosed) return;
      isClosed = true;
      input.off('data', onData);
      input.pause();
      transport.onclose?.();
    },
  };
  return { transport, whenAnswered: answered.promise, whenBroken: broken.promise };
}

function sizeOf(line: { readonly bytes: Buffer } | object): number {
  return 'bytes' in line ? line.bytes.length : 0;
}
