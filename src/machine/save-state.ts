// Saves a running guest: what it should have in memory is brought there, then its devices' state goes to a file.
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { isPyroError, PyroError } from '../shared/errors.ts';
import type { Guest } from './machine.ts';
import type { Qmp } from './qmp.ts';

export interface WarmUpCommand {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Absolute path in the guest */
  readonly cwd?: string;
}

const warmUpMs = 20_000;
/** Longest time for either way of the devices' state, `ms` */
const migrationMs = 30_000;
/** Longest time for the devices' state, some 100 KiB, `ms` */
const saveMs = 30_000;

/** Runs commands whose only use is what they leave in memory. */
export async function runQuietly(guest: Guest, commands: readonly WarmUpCommand[], signal: AbortSignal): Promise<void> {
  for (const { argv, env = {}, ...place } of commands) {
    try {
      const process = await guest.client.start(
        { argv: [...argv], env: { ...env }, ...place, stdin: false, overflow: 'drop', timeout_ms: warmUpMs },
        { signal },
      );
      await process.follow(() => undefined);
      // What it may have left running is not to go on in each guest that is made of this one.
      await process.forget({ signal });
    } catch (error) {
      // An image without a shell or `true` has nothing to warm.
      if (!isPyroError(error, 'command_not_found', 'command_not_executable', 'guest_refused')) throw error;
    }
  }
}

/** Stops the machine and writes its devices' state to a file, by a socket at `socketPath`. */
export async function saveState(qmp: Qmp, socketPath: string, file: string, signal: AbortSignal): Promise<void> {
  await qmp.execute('stop');
  await setCapabilities(qmp);
  const limit = AbortSignal.any([signal, AbortSignal.timeout(saveMs)]);
  // What goes wrong on a connection is met by who reads it; until then nobody listens.
  const server = createServer((socket) => socket.on('error', () => undefined));
  const connection = once(server, 'connection', { signal: limit });
  connection.catch(() => undefined);
  try {
    server.listen(socketPath);
    await once(server, 'listening', { signal: limit });
    server.on('error', () => undefined);
    // The folder lets nobody in but us and the QEMU, which may have a user of its own.
    await chmod(socketPath, 0o777);
    await qmp.execute('migrate', { uri: `unix:${socketPath}` });
    const [socket]: Socket[] = await connection;
    if (socket === undefined) throw new Error('a connection without a socket');
    await pipeline(socket, createWriteStream(file, { mode: 0o600 }), { signal: limit });
    await migrationEnd(qmp, signal);
  } finally {
    server.close();
  }
}

/** Reads the state from file descriptor 3 of QEMU, and lets the machine go on from there. */
export async function restoreState(qmp: Qmp, signal: AbortSignal): Promise<void> {
  await setCapabilities(qmp);
  await qmp.execute('migrate-incoming', { uri: 'fd:3' });
  await migrationEnd(qmp, signal);
  await qmp.execute('cont');
}

async function setCapabilities(qmp: Qmp): Promise<void> {
  await qmp.execute('migrate-set-capabilities', {
    capabilities: [
      { capability: 'events', state: true },
      { capability: 'x-ignore-shared', state: true },
    ],
  });
}

/** Waits until a migration, either way, has ended. Throws `template_invalid` when it failed. */
async function migrationEnd(qmp: Qmp, signal: AbortSignal): Promise<void> {
  const { data } = await qmp.waitFor(
    ({ event, data }) => event === 'MIGRATION' && (data['status'] === 'completed' || data['status'] === 'failed'),
    { timeoutMs: migrationMs, signal },
  );
  if (data['status'] === 'failed') {
    throw new PyroError('template_invalid', 'QEMU could not move the guest state', {
      hint: 'the template is made again on the next run',
    });
  }
}
