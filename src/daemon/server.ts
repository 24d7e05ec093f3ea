// The daemon from its first to its last moment: engine, socket, idle end, drain. The caller holds the lifetime lock.
import { chmod, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DaemonStatus } from '../contract/machine.ts';
import type { DaemonEngine } from '../engine/daemon-engine.ts';
import type { AnyOperation } from '../operations/define.ts';
import { tightestRoom } from '../system/disk-room.ts';
import type { Log } from '../system/log.ts';
import { ensurePrivateFolder, type Paths } from '../system/paths.ts';
import { Reserve } from '../system/reserve.ts';
import { openCalls } from './calls.ts';
import { serveLive } from './live-server.ts';
import { type DaemonPlaces, noteRuntime } from './places.ts';
import { protocolNumber } from './protocol.ts';
import { route } from './routes.ts';

export interface DaemonOptions {
  readonly operations: readonly AnyOperation[];
  readonly createEngine: (paths: Paths) => Promise<DaemonEngine>;
  readonly places: DaemonPlaces;
  readonly version: string;
  readonly log: Log;
  /** Time without a guest, a call or a connection after which it ends, `ms` */
  readonly idleMs: number;
  /** Ends it at once; guests keep running */
  readonly signal: AbortSignal;
  /** Called when it takes calls */
  readonly onReady: () => void;
}

/** Longest wait for running calls when it is to end, `ms` */
const drainMs = 30_000;
/** Longest wait for the engine to let go of its guests, `ms` */
const disposeMs = 10_000;

/** Serves until it is told to end or nothing has happened for long. */
export async function serveDaemon(options: DaemonOptions): Promise<void> {
  const { places, log, version, idleMs } = options;
  await ensurePrivateFolder(places.paths.state);
  await ensurePrivateFolder(places.paths.runtime);
  await new Reserve(places.paths.state).spend(() => noteRuntime(places));
  const engine = await options.createEngine(places.paths);
  const calls = openCalls(engine, log);
  const startedAt = Date.now();
  const ending = new AbortController();
  const cutting = new AbortController();
  const end = ({ isDraining }: { isDraining: boolean }): void => {
    ending.abort();
    if (!isDraining) cutting.abort();
  };
  const status = (): DaemonStatus => {
    const activity = engine.activity();
    return {
      pid: process.pid,
      version,
      protocol: protocolNumber,
      started_at: startedAt / 1000,
      socket: places.socket,
      log: places.log,
      draining: ending.signal.aborted,
      calls: calls.count(),
      guests: [...activity.guests],
      guest_memory_bytes: activity.memoryBytes,
      memory_bytes: process.memoryUsage.rss(),
      disk_free_bytes: tightestRoom(places.paths).free,
      idle_seconds: idleMs / 1000,
    };
  };
  const isEnding = (): boolean => ending.signal.aborted;
  const daemonOperations = options.operations.filter(({ definition }) => definition.place === 'daemon');
  const operations = new Map(daemonOperations.map((each) => [each.definition.name, each]));
  const routes = { operations, calls, version, status, isEnding, end };
  const server = createServer({ requestTimeout: 30_000 }, (request, response) => {
    void route(routes, request, response);
  });
  server.on('upgrade', (request, socket, head) => {
    void serveLive(routes, request, socket, head);
  });
  const connections = { count: 0 };
  server.on('connection', (socket) => {
    connections.count++;
    socket.on('error', () => undefined);
    socket.once('close', () => {
      connections.count--;
    });
  });
  // The lock is held, so whatever stands there is of a process that is gone.
  await rm(places.socket, { force: true });
  await listen(server, places.socket, (error) => log.fault('connection_not_taken', error));
  await chmod(places.socket, 0o600);
  options.signal.addEventListener('abort', () => end({ isDraining: false }), { once: true });
  if (options.signal.aborted) end({ isDraining: false });
  log.info('ready', { version, socket: places.socket });
  options.onReady();

  const isBusy = (): boolean => {
    const { runningGuests, busyCalls } = engine.activity();
    return runningGuests > 0 || busyCalls > 0 || calls.count() > 0 || connections.count > 0;
  };
  await untilEnded(ending.signal, isBusy, idleMs);
  // Even when idleness is the reason: from here on calls are refused.
  ending.abort();
  await Promise.race([calls.whenNone(), pause(drainMs, cutting.signal)]);
  log.info('ending', { calls: calls.count() });
  calls.cutOff();
  server.close();
  await rm(places.socket, { force: true });
  await Promise.race([engine[Symbol.asyncDispose](), pause(disposeMs, undefined)]);
}

async function listen(server: Server, path: string, onError: (error: Error) => void): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      // A connection that could not be taken, for want of descriptors say, is one that its client makes again.
      server.on('error', onError);
      resolve();
    });
  });
}

/** Guests stop by themselves without any event here, so idleness is looked at from time to time. */
async function untilEnded(signal: AbortSignal, isBusy: () => boolean, idleMs: number): Promise<void> {
  let idleSince = performance.now();
  while (!signal.aborted) {
    if (isBusy()) idleSince = performance.now();
    if (performance.now() - idleSince >= idleMs) return;
    await pause(Math.min(30_000, Math.max(100, idleMs / 4)), signal);
  }
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal === undefined ? { ref: false } : { signal });
  } catch {
    // Cut short: that is what the signal is for.
  }
}
