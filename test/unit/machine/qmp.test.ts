// A QEMU that a guest has taken over: what it says on its control socket ends that connection at most.
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { Qmp } from '../../../src/machine/qmp.ts';
import { folderForEach } from '../../support/own-folder.ts';

let folder: string;
let close: () => void = () => undefined;
folderForEach('qmp-', (made) => {
  folder = made;
});
afterEach(() => close());

const options = { deadlineMs: 5000, signal: AbortSignal.timeout(60_000) };

async function listen(speak: (socket: Socket) => void): Promise<string> {
  const path = join(folder, 'q');
  const server = createServer((socket) => {
    socket.on('error', () => undefined).resume();
    speak(socket);
  });
  close = () => server.close();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return path;
}

it('ends at a line without an end, long before it fills the memory', async () => {
  let sent = 0;
  const path = await listen((socket) => {
    const piece = Buffer.alloc(65_536, 'x');
    const send = (): void => {
      while (!socket.destroyed && sent < 1e9 && socket.write(piece)) sent += piece.length;
    };
    socket.on('drain', send);
    send();
  });
  await expect(Qmp.open(path, options)).rejects.toMatchObject({ code: 'qemu_failed', message: /no end/ });
  expect(sent).toBeLessThan(50e6);
});

it('reads answers however they are cut, and keeps no event that is very long', async () => {
  const path = await listen((socket) => {
    const long = JSON.stringify({ event: 'LONG', data: { text: 'é'.repeat(100_000) } });
    const all = Buffer.from(`{"QMP":{}}\r\n{"return":{},"id":1}\r\n${long}\n{"event":"SHORT"}\n`);
    for (let at = 0; at < all.length; at += 999) socket.write(all.subarray(at, at + 999));
  });
  await using qmp = await Qmp.open(path, options);
  const wait = { timeoutMs: 100, signal: options.signal };
  expect(await qmp.waitFor(({ event }) => event === 'SHORT', { ...wait, timeoutMs: 5000 })).toEqual({
    event: 'SHORT',
    data: {},
  });
  await expect(qmp.waitFor(({ event }) => event === 'LONG', wait)).rejects.toMatchObject({ code: 'deadline_exceeded' });
});
