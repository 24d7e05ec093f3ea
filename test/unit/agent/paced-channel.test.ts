// The pace of a guest's channel: bytes come through unchanged, frames no faster than they are due, and others have their turns.

import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, expect, it } from 'vitest';
import { FrameToll } from '../../../src/agent/frame-toll.ts';
import { PacedChannel } from '../../../src/agent/paced-channel.ts';
import { until } from '../../support/until.ts';

let undo = new DisposableStack();
afterEach(() => {
  undo.dispose();
  undo = new DisposableStack();
});

async function pair(
  preface = 0,
  pace = { burst: 1000, perSecond: 1000 },
): Promise<{ channel: PacedChannel; guest: Socket }> {
  const folder = mkdtempSync(join(tmpdir(), 'pyro-pace-'));
  const { promise, resolve } = Promise.withResolvers<Socket>();
  const server = createServer(resolve);
  await new Promise<void>((listening) => server.listen(join(folder, 's'), listening));
  const channel = new PacedChannel(connect(join(folder, 's')), preface, pace);
  const guest = await promise;
  for (const each of [channel, guest]) each.on('error', () => undefined);
  undo.defer(() => {
    channel.destroy();
    guest.destroy();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { channel, guest };
}

function frame(type: number, length: number): Buffer {
  const bytes = Buffer.alloc(9 + length, 7);
  bytes.writeUIntBE(length, 0, 3);
  bytes.writeUInt8(type, 3);
  return bytes;
}

it('the toll is the same, however the bytes are cut', () => {
  const frames = fc.array(fc.tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 2000 })), {
    maxLength: 30,
  });
  fc.assert(
    fc.property(frames, fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 9 }), (given, cuts) => {
      const whole = Buffer.concat([Buffer.from('preface'), ...given.map(([type, length]) => frame(type, length))]);
      const toll = new FrameToll(7);
      let cost = 0;
      for (let at = 0, turn = 0; at < whole.length; turn++) {
        const step = cuts[turn % cuts.length] ?? 1;
        cost += toll.count(whole.subarray(at, at + step));
        at += step;
      }
      expect(cost).toBe(new FrameToll(7).count(whole));
    }),
  );
});

it('a stream that is opened costs more than content, and content no more for being long', () => {
  const cost = (type: number, length: number): number => new FrameToll().count(frame(type, length));
  expect(cost(0, 60_000)).toBe(1);
  expect(cost(1, 50)).toBe(20);
  expect(cost(99, 16_384)).toBe(68);
});

it('bytes come through unchanged both ways, and so does the end', async () => {
  const { channel, guest } = await pair();
  const sent = Buffer.concat(Array.from({ length: 200 }, (_, index) => frame(0, index * 37)));
  guest.end(sent);
  const seen: Buffer[] = [];
  for await (const chunk of channel) seen.push(chunk);
  expect(Buffer.concat(seen).equals(sent)).toBe(true);
});

it('what is written arrives in order', async () => {
  const { channel, guest } = await pair();
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  const seen: Buffer[] = [];
  guest.on('data', (chunk: Buffer) => seen.push(chunk)).once('end', () => resolve(Buffer.concat(seen)));
  for (let index = 0; index < 100; index++) channel.write(`${index},`);
  channel.end('over');
  expect((await promise).toString()).toBe(`${Array.from({ length: 100 }, (_, index) => index).join(',')},over`);
});

it('a flood of small frames is read at their pace, while another channel goes on', async () => {
  const flooded = await pair(0, { burst: 100, perSecond: 2000 });
  const flood = Buffer.concat(Array.from({ length: 2000 }, () => frame(6, 8)));
  let frames = 0;
  flooded.channel.on('data', (chunk: Buffer) => {
    frames += chunk.length / 17;
  });
  const write = (): void => {
    if (!flooded.guest.destroyed) flooded.guest.write(flood, write);
  };
  write();
  const other = await pair(0, { burst: 100_000, perSecond: 1000 });
  const startedAt = performance.now();
  let turns = 0;
  while (performance.now() - startedAt < 1000) {
    const heard = new Promise((resolve) => other.channel.once('data', resolve));
    other.guest.write(frame(0, 1));
    await heard;
    turns++;
  }
  // Of the frames some 500 are due in a second, and the last piece may go beyond that.
  expect(frames).toBeLessThan(3000);
  expect(frames).toBeGreaterThan(100);
  expect(turns).toBeGreaterThan(200);
});

it('ends with its socket, and its socket with it', async () => {
  const first = await pair();
  const closed = new Promise((resolve) => first.channel.once('close', resolve));
  first.channel.resume();
  first.guest.destroy();
  await closed;
  const second = await pair();
  const gone = new Promise((resolve) => second.guest.once('close', resolve));
  second.guest.resume();
  second.channel.destroy();
  await gone;
});

it('counts what came by it, handed on or not: a heartbeat goes by that', async () => {
  const { channel, guest } = await pair();
  expect(channel.bytesRead).toBe(0);
  guest.write(Buffer.alloc(1000));
  channel.resume();
  await until(() => channel.bytesRead === 1000);
});
