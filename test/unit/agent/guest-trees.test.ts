// Trees on their way into a guest: how long a slow one may take.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http2';
import { createServer as createSocketServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, expect, it, vi } from 'vitest';
import { GuestClient } from '../../../src/agent/guest-client.ts';
import { unpackTree } from '../../../src/agent/guest-trees.ts';

const pieces = 5;
const pieceBytes = 256 * 1024;
const timeoutMs = 60_000;

afterEach(() => void vi.useRealTimers());

it('gives a guest its time anew with each piece that it has taken', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pyro-trees-'));
  const path = join(folder, 's');
  const guest = createServer().on('stream', async (stream) => {
    let bytes = 0;
    for await (const chunk of stream) bytes += Buffer.from(chunk).length;
    stream.respond({ ':status': 200 });
    stream.end(JSON.stringify({ written: Math.floor(bytes / pieceBytes), deleted: 0 }));
  });
  const server = createSocketServer((socket) => {
    socket.once('readable', () => {
      const hello: Buffer = socket.read(32);
      const magic = Buffer.from(hello.subarray(0, 16).map((byte) => ~byte & 255));
      socket.write(Buffer.concat([magic, hello.subarray(16)]));
      guest.emit('connection', socket);
    });
  }).listen(path);
  await once(server, 'listening');
  const client = await GuestClient.connect(path, Buffer.alloc(16, 0xa5), { timeoutMs });
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const tar = async function* (): AsyncGenerator<Buffer> {
    for (let piece = 0; piece < pieces; piece++) {
      yield Buffer.alloc(pieceBytes);
      // Asked for the next one only when this one is taken.
      vi.advanceTimersByTime(0.7 * timeoutMs);
    }
  };
  try {
    const request = { destination: '/workspace', deletedPaths: [] };
    const unpacked = await unpackTree(client, request, Readable.from(tar(), { highWaterMark: 1 }), { timeoutMs });
    expect(unpacked).toEqual({ written: pieces, deleted: 0 });
  } finally {
    await client[Symbol.asyncDispose]();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
