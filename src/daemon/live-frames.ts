// What goes over the socket of a live call: bytes of the three streams, and messages, each in a frame.
import type { Duplex } from 'node:stream';
import type { z } from 'zod';
import type { Control, LiveMessage, Opening } from '../contract/frames.ts';
import { PyroError } from '../shared/errors.ts';

export const liveProtocol = 'pyro-live';

export const frameKind = { stdin: 0, stdout: 1, stderr: 2, message: 3 } as const;
export type LiveKind = (typeof frameKind)[keyof typeof frameKind];

const headerBytes = 5;
/** Longest piece of a stream in one frame, `bytes` */
export const pieceBytes = 65_536;
/** Standard input that may be on its way, unread, `bytes` */
export const inputWindow = 262_144;

export interface LiveFrame {
  readonly kind: LiveKind;
  readonly payload: Buffer;
}

/** Writes a frame; comes back when the system has taken it. Throws when the other side has gone. */
export async function writeFrame(socket: Duplex, kind: LiveKind, payload: Buffer): Promise<void> {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt8(kind, 0);
  header.writeUInt32BE(payload.length, 1);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.cork();
  socket.write(header);
  socket.write(payload, (error) => (error == null ? resolve() : reject(error)));
  socket.uncork();
  await promise;
}

export async function writeMessage(socket: Duplex, message: LiveMessage | Control | Opening): Promise<void> {
  await writeFrame(socket, frameKind.message, Buffer.from(JSON.stringify(message)));
}

/** Frames as they come, none longer than `mostBytes`. Ends when the other side does. */
export async function* readLiveFrames(socket: Duplex, head: Buffer, mostBytes: number): AsyncGenerator<LiveFrame> {
  let parts: Buffer[] = [];
  let size = 0;
  const take = (length: number): Buffer => {
    const all = parts.length === 1 ? (parts[0] ?? Buffer.alloc(0)) : Buffer.concat(parts);
    parts = [all.subarray(length)];
    size -= length;
    return all.subarray(0, length);
  };
  let header: Buffer | undefined;
  async function* chunks(): AsyncGenerator<Buffer> {
    if (head.length > 0) yield head;
    for await (const chunk of socket) if (Buffer.isBuffer(chunk)) yield chunk;
  }
  for await (const chunk of chunks()) {
    parts.push(chunk);
    size += chunk.length;
    for (;;) {
      if (header === undefined) {
        if (size < headerBytes) break;
        header = take(headerBytes);
      }
      const length = header.readUInt32BE(1);
      if (length > mostBytes) throw new PyroError('usage', `a frame of ${length} bytes`);
      if (size < length) break;
      const kind = kindOf(header.readUInt8(0));
      header = undefined;
      yield { kind, payload: take(length) };
    }
  }
}

function kindOf(number: number): LiveKind {
  const known = Object.values(frameKind).find((each) => each === number);
  if (known === undefined) throw new PyroError('usage', `a frame of kind ${number}`);
  return known;
}

export function parseMessage<T>({ payload }: LiveFrame, schema: z.ZodType<T>): T {
  return schema.parse(JSON.parse(payload.toString('utf8')));
}
