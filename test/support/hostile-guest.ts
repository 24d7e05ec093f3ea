// Stands for a guest whose agent was replaced: speaks HTTP/2 with a real egress as it likes.
import { mkdtempSync, rmSync } from 'node:fs';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConnectionLog } from '../../src/network/connection-log.ts';
import type { Resolver } from '../../src/network/dial.ts';
import { Egress } from '../../src/network/egress.ts';
import type { ConnectionLimits } from '../../src/network/limits.ts';
import { makeGrant } from '../../src/network/policy.ts';
import type { Routes } from '../../src/network/upstream.ts';

const magic = Buffer.alloc(16, 0xa5);

export interface Hostile extends AsyncDisposable {
  readonly session: ClientHttp2Session;
  readonly socket: Socket;
  readonly egress: Egress;
  readonly log: ConnectionLog;
  readonly logPath: string;
}

const answers: Readonly<Record<string, readonly string[]>> = {
  'public.example': ['192.0.2.1'],
  'private.example': ['127.0.0.1'],
  'ten.example': ['10.0.0.1'],
  'mixed.example': ['1.1.1.1', '127.0.0.1'],
  'mapped.example': ['::ffff:127.0.0.1'],
  'nat64.example': ['64:ff9b::7f00:1'],
  'metadata.example': ['169.254.169.254'],
  'zone.example': ['fe80::1%lo'],
  'nonsense.example': ['127.1'],
  'nothing.example': [],
};
const resolver: Resolver = async (name) => {
  const found = answers[name];
  if (found === undefined) throw Object.assign(new Error('not found'), { code: 'ENOTFOUND' });
  return found;
};

/** Stands for the guest: answers the hello, waits for the server's first byte, then speaks as it likes. */
export async function hostile(
  options: {
    allow?: string[];
    resolver?: Resolver;
    limits?: ConnectionLimits;
    greeting?: Buffer;
    routes?: Routes;
  } = {},
): Promise<Hostile> {
  const folder = mkdtempSync(join(tmpdir(), 'pyro-hostile-'));
  const path = join(folder, 'n');
  const { promise, resolve } = Promise.withResolvers<Socket>();
  const server: Server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('readable', () => {
      const hello: Buffer = socket.read();
      const ack = Buffer.concat([
        Buffer.from(hello.subarray(0, 16).map((byte) => ~byte & 255)),
        hello.subarray(16, 32),
      ]);
      socket.write(Buffer.concat([ack, options.greeting ?? Buffer.alloc(0)]));
      resolve(socket);
    });
  });
  await new Promise<void>((listening) => server.listen(path, listening));
  const logPath = join(folder, 'log.jsonl');
  const log = await ConnectionLog.open(logPath);
  const { limits } = options;
  const egress = await Egress.open({
    socketPath: path,
    magic,
    grant: makeGrant('egress', options.allow),
    log,
    resolver: options.resolver ?? resolver,
    routes: options.routes,
    ...(limits === undefined ? {} : { limits }),
  });
  const socket = await promise;
  const session = connectHttp2('http://host', { createConnection: () => socket });
  session.on('error', () => undefined);
  return {
    session,
    socket,
    egress,
    log,
    logPath,
    [Symbol.asyncDispose]: async () => {
      session.destroy();
      await egress[Symbol.asyncDispose]();
      socket.destroy();
      server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The status of a request, or `broken` when the stream ends without one. */
export async function ask(guest: Hostile, headers: Record<string, string>): Promise<number | 'broken'> {
  const { promise, resolve } = Promise.withResolvers<number | 'broken'>();
  try {
    const stream = guest.session.request(headers);
    stream.on('error', () => resolve('broken'));
    stream.once('close', () => resolve('broken'));
    stream.once('response', (head) => {
      resolve(head[':status'] ?? 'broken');
      stream.resume().end();
    });
  } catch {
    return 'broken';
  }
  return await promise;
}

export const connectTo = (authority: string) => ({ ':method': 'CONNECT', ':authority': authority });
