// Throw-away guests: a folder with an owner, a guest in it, and everything gone afterwards, whatever happens.
import { randomBytes } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Environment } from '../../environment/store.ts';
import { templateDiskMib } from '../../machine/disks.ts';
import type { Guest, GuestEnvironment, GuestSize, Machine, StartedGuest } from '../../machine/machine.ts';
import { readImageId } from '../../project/image-id.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { readJson, writeJson } from '../../system/files.ts';
import { makeFolder } from '../../system/folders.ts';
import type { Paths } from '../../system/paths.ts';
import { identifySelf, isRunning, processIdentitySchema } from '../../system/processes.ts';

export interface ThrowAway extends AsyncDisposable {
  readonly id: string;
  /** Process of the host that it runs in */
  readonly pid: number;
  readonly guest: Guest;
  readonly bootSource: StartedGuest['source'];
  /** What it was started from, beside its environment */
  readonly used: StartedGuest['used'];
  /** From the start of QEMU to a guest that takes commands, `ms` */
  readonly bootMs: number;
}

export interface ThrowAwayRequest {
  readonly environment: Environment;
  readonly size: GuestSize;
  /** Boots, where another would be restored from a template */
  readonly isCold?: boolean;
  /** Mounted below /workspace */
  readonly projectImage?: string | undefined;
}

export function runsFolder(paths: Paths): string {
  return join(paths.state, 'runs');
}

/** Removes what owners that are dead have left behind. */
export async function sweepRuns(paths: Paths): Promise<void> {
  const folder = runsFolder(paths);
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const owner = await readJson(join(folder, name, 'owner.json'), processIdentitySchema).catch(() => undefined);
    if (owner === undefined ? !(await isFresh(join(folder, name))) : !isRunning(owner)) {
      await rm(join(paths.runtime, name), { recursive: true, force: true });
      await rm(join(folder, name), { recursive: true, force: true });
    }
  }
}

/** A folder without an owner yet may be a second old; its owner is about to sign. */
async function isFresh(path: string): Promise<boolean> {
  const status = await stat(path).catch(() => undefined);
  return status !== undefined && Date.now() - status.mtimeMs < 60_000;
}

/** What a guest, or a template, starts with. */
export function guestEnvironment({ digest, imagePath, record }: Environment): GuestEnvironment {
  return { name: record.name, digest, imagePath };
}

/** A guest that takes commands; disposing it leaves nothing. */
export async function startThrowAway(
  machine: Machine,
  paths: Paths,
  { environment, size, isCold = false, projectImage }: ThrowAwayRequest,
  context: CallContext,
): Promise<ThrowAway> {
  await using undo = new AsyncDisposableStack();
  const id = randomBytes(6).toString('hex');
  const folder = join(runsFolder(paths), id);
  await makeFolder(folder);
  undo.defer(() => rm(folder, { recursive: true, force: true }));
  await writeJson(join(folder, 'owner.json'), identifySelf());
  const disks = {
    rootImage: environment.imagePath,
    top: join(folder, 'disk.qcow2'),
    base: undefined,
    below: [],
    project: projectImage === undefined ? undefined : { image: projectImage, imageId: await readImageId(projectImage) },
    sizeMib: templateDiskMib,
  };
  const plan = { id, environment: guestEnvironment(environment), size, disks, socketFolder: id };
  const { guest, record, source, bootMs, used } = await machine.startFresh(plan, context, isCold);
  undo.use(guest);
  const parts = undo.move();
  const { pid } = record.process;
  return { id, pid, guest, bootSource: source, used, bootMs, [Symbol.asyncDispose]: () => parts.disposeAsync() };
}
