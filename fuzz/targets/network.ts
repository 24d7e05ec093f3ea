// The way out of a guest, whose agent sends what it likes: nothing is dialled that policy does not let through, all of it ends.
import { ok as holds, strictEqual } from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConnectionLog } from '../../src/network/connection-log.ts';
import { Egress } from '../../src/network/egress.ts';
import { makeGrant } from '../../src/network/policy.ts';
import { clientBytes, lastPing, record } from '../http2-bytes.ts';
import type { Target } from '../target.ts';

const folder = mkdtempSync(join(tmpdir(), 'pyro-fuzz-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const socketPath = join(folder, 'n');
const magic = Buffer.alloc(16, 0xa5);
const longestMs = 1000;

/** A service that the allow-list names, and one that it does not. */
interface Services {
  readonly allowed: number;
  readonly trap: number;
  readonly trapped: () => number;
}

let ready: Promise<Services> | undefined;
let onGuest: (socket: Socket) => void = () => undefined;

async function listen(server: Server, where: string | number): Promise<number> {
  server.unref();
  await new Promise<void>((resolve) =>
    typeof where === 'string' ? server.listen(where, resolve) : server.listen(where, '127.0.0.1', resolve),
  );
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function begin(): Promise<Services> {
  await listen(
    createServer((socket) => onGuest(socket)),
    socketPath,
  );
  let trapped = 0;
  const echo = createServer({ allowHalfOpen: true }, (socket) => socket.on('error', () => undefined).pipe(socket));
  const trap = createServer((socket) => {
    trapped++;
    socket.destroy();
  });
  return { allowed: await listen(echo, 0), trap: await listen(trap, 0), trapped: () => trapped };
}

/** What stands in an input for the two ports. */
const [allowedWord, trapWord] = ['AAAAA', 'TTTTT'];

export const network: Target = {
  isSlow: true,
  examples: [
    Buffer.concat([
      record(20, 0, 1, `allowed.example:${allowedWord}`),
      record(230, 0, 1, 'hello'),
      record(230, 1, 1, 'bye'),
    ]),
    Buffer.concat([record(20, 0, 1, `trap.example:${trapWord}`), record(20, 0, 3, `127.0.0.1:${trapWord}`)]),
    Buffer.concat([
      record(200, 0, 1, '{"refusals":[{"kind":"ping","asked":"x:1"}],"lost":3}'),
      record(3, 0, 1, '\0\0\0\u0008'),
    ]),
    Buffer.concat([
      record(4, 0, 0, '\0\u0003\0\0\0\u0001'),
      record(8, 0, 0, '\0\0\0\u0001'),
      record(6, 0, 0, '12345678'),
    ]),
    Buffer.concat([record(1, 4, 1, '\u0082\u0084\u0086'), record(9, 4, 1, 'x'), record(7, 0, 0, Buffer.alloc(8))]),
    Buffer.concat([record(250, 0, 0, 'GET / HTTP/1.1\r\n\r\n')]),
  ],
  words: [
    `localhost:${trapWord}`,
    `[::1]:${trapWord}`,
    `allowed.example:${allowedWord}`,
    `0x7f.1:${trapWord}`,
    '"refusals":[',
    '"lost":',
  ],
  run: async (input) => {
    ready ??= begin();
    const { allowed, trap, trapped } = await ready;
    const before = trapped();
    const log = await ConnectionLog.open(join(folder, 'log.jsonl'), 64 * 1024);
    const bytes = clientBytes(withPorts(input, allowed, trap));
    const done = Promise.withResolvers<void>();
    onGuest = (socket) => {
      onGuest = (later) => later.destroy();
      socket.on('error', () => undefined).once('close', () => done.resolve());
      socket.once('data', (hello) => {
        socket.write(
          Buffer.concat([Buffer.from(hello.subarray(0, 16).map((byte) => ~byte & 255)), hello.subarray(16, 32)]),
        );
        let seen = Buffer.alloc(0);
        socket.on('data', (chunk) => {
          // The server speaks first; what comes before that would be out of turn.
          if (seen.length === 0) socket.write(Buffer.concat([bytes, lastPing]));
          seen = Buffer.concat([seen, chunk]).subarray(-4096);
          if (seen.includes('fuzzfuzz')) done.resolve();
        });
      });
    };
    const grant = makeGrant('egress', [`allowed.example:${allowed}`, `127.0.0.1:${allowed}`]);
    const resolver = async (name: string): Promise<readonly string[]> => {
      if (name.endsWith('.example')) return ['127.0.0.1'];
      throw Object.assign(new Error('not found'), { code: 'ENOTFOUND' });
    };
    const egress = await Egress.open({ socketPath, magic, grant, log, resolver, signal: AbortSignal.timeout(5000) });
    await Promise.race([done.promise, sleep(longestMs, undefined, { ref: false })]);
    await egress[Symbol.asyncDispose]();
    for (let turn = 0; egress.openConnections > 0 && turn < 200; turn++) await sleep(2);
    strictEqual(egress.openConnections, 0, 'connections stay open');
    strictEqual(trapped(), before, 'something was dialled that nobody allowed');
    for (const { name, reason } of log.refusedSince(0)) holds(!/[^\x20-\x7e]/.test(name + (reason ?? '')));
  },
};

/** Ports are known only when the services listen. */
function withPorts(input: Buffer, allowed: number, trap: number): Buffer {
  const text = input.toString('latin1');
  return Buffer.from(text.replaceAll(allowedWord, `${allowed}`).replaceAll(trapWord, `${trap}`), 'latin1');
}
