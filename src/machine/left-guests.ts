// Guests that nobody has a session with: ended by what a record says of them, without a machine that could start another.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunningGuest } from '../contract/records.ts';
import { exists } from '../system/files.ts';
import { isOfEarlierBoot } from '../system/processes.ts';
import { AdoptedProcess } from './adopted-process.ts';
import type { GuestEnd } from './guest-end.ts';

/** Ends it and waits for the end. */
export async function endLeftGuest({ process }: Pick<RunningGuest, 'process'>): Promise<void> {
  await new AdoptedProcess(process).kill();
}

/** How a guest was lost; the cause where it is known. */
export interface GuestLoss {
  readonly cause?: GuestEnd['cause'] | 'host';
  readonly text: string;
}

/** Of one that is gone, and that nobody has heard end. */
export async function howItWent(
  runtimeFolder: string,
  { process, folder }: Pick<RunningGuest, 'process' | 'folder'>,
): Promise<GuestLoss> {
  const anew: GuestLoss = { cause: 'host', text: 'this machine was started anew' };
  if (isOfEarlierBoot(process)) return anew;
  // One that ends by itself leaves its folder.
  if (await exists(join(runtimeFolder, folder))) return { text: 'its QEMU process had ended' };
  // That folder lies in memory, and was how older records told.
  if (process.boot_id === undefined) return anew;
  return { cause: 'host', text: 'it was ended, which could not be written down, or its runtime folder was removed' };
}

/** Removes the sockets of one that has ended. */
export async function removeSockets(runtimeFolder: string, { folder }: Pick<RunningGuest, 'folder'>): Promise<void> {
  await rm(join(runtimeFolder, folder), { recursive: true, force: true });
}
