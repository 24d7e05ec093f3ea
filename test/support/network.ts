// A guest's network without a guest: the real agent as a plain process, our egress on its second socket, services on loopback.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GuestClient } from '../../src/agent/guest-client.ts';
import { enableGuestNetwork } from '../../src/agent/guest-network.ts';
import type { NetworkGrant } from '../../src/contract/records.ts';
import { ConnectionLog } from '../../src/network/connection-log.ts';
import type { Resolver } from '../../src/network/dial.ts';
import { Egress } from '../../src/network/egress.ts';
import type { ConnectionLimits } from '../../src/network/limits.ts';
import { makeGrant } from '../../src/network/policy.ts';
import { untilListening } from './until.ts';

export interface NetworkBench extends AsyncDisposable {
  readonly client: GuestClient;
  readonly egress: Egress;
  readonly log: ConnectionLog;
  readonly logPath: string;
  readonly socketPath: string;
  readonly magic: Buffer;
  readonly proxyPort: number;
}

export interface BenchOptions {
  readonly grant?: NetworkGrant;
  readonly resolver?: Resolver;
  readonly limits?: ConnectionLimits;
}

/** The agent with its network on, and an egress that follows the options. */
export async function openBench(options: BenchOptions = {}): Promise<NetworkBench> {
  await using undo = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'pyro-net-'));
  undo.defer(() => rmSync(folder, { recursive: true, force: true }));
  const binary = join(folder, 'agent');
  execFileSync('go', ['build', '-o', binary, './cmd/agent'], { cwd: new URL('../../guest', import.meta.url).pathname });
  const [socket, socketPath, logPath] = [join(folder, 's'), join(folder, 'n'), join(folder, 'log', 'network.jsonl')];
  const magic = Buffer.alloc(16, 0xf5);
  const agent = spawn(binary, ['--socket', socket, '--magic', magic.toString('hex'), '--network', socketPath], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  undo.defer(async () => {
    const ended = new Promise((resolve) => agent.once('exit', resolve));
    agent.kill('SIGTERM');
    await ended;
  });
  await untilListening(socket);
  const client = undo.use(await GuestClient.connect(socket, magic, { timeoutMs: 10_000 }));
  await client.resume({ hostname: 'test', machineId: 'a'.repeat(32) }, undefined);
  const access = await enableGuestNetwork(client);
  const log = await ConnectionLog.open(logPath);
  const egress = undo.use(
    await Egress.open({
      socketPath,
      magic: access.magic,
      grant: options.grant ?? makeGrant('egress'),
      log,
      ...rest(options),
    }),
  );
  const parts = undo.move();
  return {
    client,
    egress,
    log,
    logPath,
    socketPath,
    magic: access.magic,
    proxyPort: Number(access.proxy.split(':').at(-1)),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

function rest({ resolver, limits }: BenchOptions): Pick<BenchOptions, 'resolver' | 'limits'> {
  return { ...(resolver === undefined ? {} : { resolver }), ...(limits === undefined ? {} : { limits }) };
}

export interface Service extends AsyncDisposable {
  readonly port: number;
  readonly seen: () => number;
}

/** A TCP service on 127.0.0.1. */
export async function openService(serve: (socket: Socket) => void): Promise<Service> {
  const sockets = new Set<Socket>();
  let count = 0;
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    count += 1;
    sockets.add(socket);
    socket.on('error', () => undefined);
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: portOf(server.address()),
    seen: () => count,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function portOf(address: AddressInfo | string | null): number {
  if (typeof address !== 'object' || address === null) throw new Error('the server has no port');
  return address.port;
}

/** Sends bytes to the proxy and gives all that comes back until it closes, or the deadline. */
export async function exchange(
  port: number,
  sent: Buffer | string,
  isEnding = false,
  timeoutMs = 5000,
): Promise<Buffer> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
    socket.once('end', () => resolve());
  });
  socket.on('error', () => undefined);
  if (isEnding) socket.end(sent);
  else socket.write(sent);
  await Promise.race([closed, sleep(timeoutMs)]);
  socket.destroy();
  return Buffer.concat(chunks);
}
