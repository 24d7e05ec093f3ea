// A guest that keeps its reader waiting: with nothing, with a byte now and then, or with a process that never begins.

import { mkdtempSync, rmSync } from 'node:fs';
import { performServerHandshake, type ServerHttp2Stream } from 'node:http2';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { chunksOf } from '../../../src/agent/guest-bytes.ts';
import { GuestClient } from '../../../src/agent/guest-client.ts';

let undo = new DisposableStack();
afterEach(() => {
  undo.dispose();
  undo = new DisposableStack();
});

/** A session with a guest that answers each request by `act`. */
async function connectTo(act: (stream: ServerHttp2Stream) => void): Promise<GuestClient> {
  const folder = mkdtempSync(join(tmpdir(), 'pyro-slow-'));
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('readable', () => {
      const hello: Buffer = socket.read(32);
      const magic = Buffer.from(hello.subarray(0, 16).map((byte) => ~byte & 255));
      socket.write(Buffer.concat([magic, hello.subarray(16)]));
      const session = performServerHandshake(socket);
      session
        .on('error', () => undefined)
        .on('stream', (stream) => {
          stream.on('error', () => undefined);
          act(stream);
        });
    });
  });
  await new Promise<void>((resolve) => server.listen(join(folder, 's'), resolve));
  const client = await GuestClient.connect(join(folder, 's'), Buffer.alloc(16, 0xa5), { timeoutMs: 5000 });
  undo.defer(() => {
    void client[Symbol.asyncDispose]();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return client;
}

async function readFrom(client: GuestClient, timeoutMs: number): Promise<number> {
  const stream = client.open('GET', '/');
  stream.end();
  let size = 0;
  for await (const chunk of chunksOf(stream, { timeoutMs })) size += chunk.length;
  return size;
}

it('is given up when it drips, though it is never silent for long', async () => {
  const client = await connectTo((stream) => {
    stream.respond({ ':status': 200 });
    const timer = setInterval(() => stream.write('.'), 20);
    stream.once('close', () => clearInterval(timer));
  });
  const startedAt = performance.now();
  await expect(readFrom(client, 300)).rejects.toMatchObject({
    code: 'guest_unreachable',
    message: 'the guest does not answer: it sends too slowly',
  });
  expect(performance.now() - startedAt).toBeLessThan(3000);
});

it('is waited for while it keeps a pace, for longer than it may be silent', async () => {
  const client = await connectTo((stream) => {
    stream.respond({ ':status': 200 });
    let count = 0;
    const timer = setInterval(() => {
      stream.write(Buffer.alloc(4096));
      if (++count < 30) return;
      clearInterval(timer);
      stream.end();
    }, 20);
  });
  expect(await readFrom(client, 300)).toBe(30 * 4096);
});

it('is not to blame for the time that its reader takes', async () => {
  const client = await connectTo((stream) => {
    stream.respond({ ':status': 200 });
    stream.write('a');
    setTimeout(() => stream.end('b'), 100);
  });
  const stream = client.open('GET', '/');
  stream.end();
  const texts: string[] = [];
  for await (const chunk of chunksOf(stream, { timeoutMs: 400 })) {
    texts.push(chunk.toString());
    await sleep(500);
  }
  expect(texts.join('')).toBe('ab');
});

it('is given up when it takes a process and never names it', async () => {
  const client = await connectTo((stream) => stream.respond({ ':status': 200 }));
  const request = { argv: ['true'], env: {}, stdin: false, overflow: 'drop' } as const;
  await expect(client.start({ ...request, argv: ['true'] }, { timeoutMs: 200 })).rejects.toMatchObject({
    code: 'guest_unreachable',
  });
});
