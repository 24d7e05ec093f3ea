// QEMU's machine protocol, from a QEMU that a guest has taken over.
import { ok as holds } from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Qmp } from '../../src/machine/qmp.ts';
import { type Target, tolerateLater } from '../target.ts';

const folder = mkdtempSync(join(tmpdir(), 'pyro-fuzz-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'q');
let ready: Promise<void> | undefined;
let speak: (socket: Socket) => void = () => undefined;

async function listen(): Promise<void> {
  const server = createServer((socket) => speak(socket)).unref();
  await new Promise<void>((resolve) => server.listen(path, resolve));
}

const greeting = '{"QMP":{"version":{},"capabilities":[]}}\n{"return":{},"id":1}\n';

export const qmp: Target = {
  isSlow: true,
  examples: [
    `${greeting}{"event":"STOP","data":{}}\n{"return":{"status":"running"},"id":2}\n`,
    `${greeting}{"error":{"class":"GenericError","desc":"no"},"id":2}\n`,
    `${greeting}{"event":"BLOCK_IO_ERROR","data":{"device":"d","reason":"x","nospace":true},"timestamp":{"seconds":1}}\n`,
    `${greeting}{"event":"MIGRATION","data":{"status":"completed"}}\n{"event":"GUEST_PANICKED"}\n`,
  ].map((text) => Buffer.from(text)),
  words: [
    '{"return":{},"id":1}\n',
    '"id":2',
    '{"event":"RESET"}\n',
    '"data":{',
    '"error":{"class":"x","desc":"y"}',
    '\n',
  ],
  run: async (input) => {
    ready ??= listen();
    await ready;
    speak = (socket) => {
      socket.on('error', () => undefined).resume();
      socket.end(input);
    };
    const signal = AbortSignal.timeout(5000);
    await tolerateLater(async () => {
      await using connection = await Qmp.open(path, { deadlineMs: 1000, signal });
      const told: string[] = [];
      connection.listen(({ event }) => void told.push(event));
      const both = await Promise.allSettled([
        connection.execute('query-status'),
        connection.waitFor(({ event }) => event === 'MIGRATION', { timeoutMs: 50, signal }),
      ]);
      for (const each of both) if (each.status === 'rejected') await tolerateLater(() => Promise.reject(each.reason));
      holds(told.length <= input.length);
    });
  },
};
