// Where the daemon is found. State has one owner even when fronts see different runtime folders (some hosts pass no XDG_RUNTIME_DIR).
import { lstatSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { isPyroError, PyroError } from '../shared/errors.ts';
import { readJson, writeJson } from '../system/files.ts';
import type { Paths } from '../system/paths.ts';

export interface DaemonPlaces {
  readonly paths: Paths;
  readonly socket: string;
  /** Held while a daemon lives */
  readonly lifetimeLock: string;
  /** Held by a front while it starts a daemon */
  readonly startLock: string;
  readonly record: string;
  readonly log: string;
}

const recordSchema = z.object({ version: z.literal(1), runtime: z.string().min(1) });
const longestSocketPath = 107;

/** The places, with the runtime folder that the last daemon used as long as it is there: its guests' sockets lie there. */
export async function locateDaemon(paths: Paths): Promise<DaemonPlaces> {
  const record = join(paths.state, 'daemon.json');
  const runtime = (await lastRuntime(record)) ?? paths.runtime;
  const socket = join(runtime, 'daemon.sock');
  if (Buffer.byteLength(socket) > longestSocketPath) {
    throw new PyroError('host_unsupported', `the path of the daemon's socket is too long: ${socket}`, {
      hint: 'set XDG_RUNTIME_DIR or TMPDIR to a shorter path',
    });
  }
  return {
    paths: { ...paths, runtime },
    socket,
    lifetimeLock: join(paths.state, 'daemon.lock'),
    startLock: join(paths.state, 'daemon-start.lock'),
    record,
    log: join(paths.state, 'logs', 'daemon.log'),
  };
}

/** Writes down where sockets lie; nothing where that stands there already, since the disk may be full. */
export async function noteRuntime({ record, paths: { runtime } }: DaemonPlaces): Promise<void> {
  const noted = await readJson(record, recordSchema).catch(() => undefined);
  if (noted?.runtime !== runtime)
    await writeJson(record, { version: 1, runtime } satisfies z.infer<typeof recordSchema>);
}

async function lastRuntime(record: string): Promise<string | undefined> {
  try {
    const noted = await readJson(record, recordSchema);
    if (noted === undefined) return undefined;
    const status = lstatSync(noted.runtime, { throwIfNoEntry: false });
    return status?.isDirectory() === true && status.uid === userInfo().uid ? noted.runtime : undefined;
  } catch (error) {
    // A damaged note costs nothing: the daemon writes it again.
    if (isPyroError(error, 'state_damaged')) return undefined;
    throw error;
  }
}
