// A session that is ended at once, while the guest's first bytes are still waiting to be read.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { GuestClient } from '../../../src/agent/guest-client.ts';

it('throws nothing out of reach', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pyro-client-'));
  const path = join(folder, 's');
  const settings = Buffer.from('000000040000000000', 'hex');
  const closed = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    socket.on('error', () => undefined).once('close', () => closed.resolve());
    socket.once('readable', () => {
      const hello: Buffer = socket.read();
      const magic = Buffer.from(hello.subarray(0, 16).map((byte) => ~byte & 255));
      socket.write(Buffer.concat([magic, hello.subarray(16, 32), settings]));
      socket.resume();
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const thrown: unknown[] = [];
  const onThrown = (error: unknown): void => void thrown.push(error);
  process.on('uncaughtException', onThrown);
  try {
    const client = await GuestClient.connect(path, Buffer.alloc(16, 0xa5), { timeoutMs: 5000 });
    await client[Symbol.asyncDispose]();
    await closed.promise;
    await nextTurn();
    expect(thrown).toEqual([]);
  } finally {
    process.off('uncaughtException', onThrown);
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
