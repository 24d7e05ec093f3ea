// Saves a running guest: what it should have in memory is brought there, then its devices' state goes to a file.
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { isPyroError } from '../shared/errors.ts';
import { type Guest, migrationEnd } from './guest.ts';

export interface WarmUpCommand {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Absolute path in the guest */
  readonly cwd?: string;
}

const warmUpMs = 20_000;
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

/** Stops the guest and writes its devices' state; its memory is in the file that it was started on. */
export async function saveState(guest: Guest, socketPath: string, file: string, signal: AbortSignal): Promise<void> {
  await guest.qmp.execute('stop');
  await guest.qmp.execute('migrate-set-capabilities', {
    capabilities: [
      { capability: 'events', state: true },
      { capability: 'x-ignore-shared', state: true },
    ],
  });
  const limit = AbortSignal.any([signal, AbortSignal.timeout(saveMs)]);
  // What goes wrong on a connection is met by who reads it; until then nobody listens.
  const server = createServer((socket) => socket.on('error', () => undefined));
  const connection = once(server, 'connection', { signal: limit });
  connection.catch(() => undefined);
  try {
    server.listen(socketPath);
    await once(server, 'listening', { signal: limit });
    server.on('error', () => undefined);
    await guest.qmp.execute('migrate', { uri: `unix:${socketPath}` });
    const [socket]: Socket[] = await connection;
    if (socket === undefined) throw new Error('a connection without a socket');
    await pipeline(socket, createWriteStream(file, { mode: 0o600 }), { signal: limit });
    await migrationEnd(guest.qmp, signal);
  } finally {
    server.close();
  }
}
