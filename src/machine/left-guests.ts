// Guests that nobody has a session with: ended by what a record says of them, without a machine that could start another.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunningGuest } from '../contract/records.ts';
import { exists } from '../system/files.ts';
import { AdoptedProcess } from './adopted-process.ts';

/** Ends it and waits for the end. */
export async function endLeftGuest({ process }: Pick<RunningGuest, 'process'>): Promise<void> {
  await new AdoptedProcess(process).kill();
}

/** Removes the sockets of one that has ended. */
/** False after a reboot of this machine: the folder of sockets lies in memory, and a guest that ends by itself leaves it. */
export async function hasSockets(runtimeFolder: string, { folder }: Pick<RunningGuest, 'folder'>): Promise<boolean> {
  return await exists(join(runtimeFolder, folder));
}

export async function removeSockets(runtimeFolder: string, { folder }: Pick<RunningGuest, 'folder'>): Promise<void> {
  await rm(join(runtimeFolder, folder), { recursive: true, force: true });
}
