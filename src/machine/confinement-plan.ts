// What the QEMU of one guest may see and touch, worked out from its description, and its files made ready for that.
import { createHash } from 'node:crypto';
import { chmod, chown, link, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { messageOf } from '../shared/errors.ts';
import { mebibyte } from '../shared/units.ts';
import { exists } from '../system/files.ts';
import type { MachineSpec } from './arguments.ts';
import { type Confinement, firstUser, programEnvironment } from './confinement.ts';
import { checkChain } from './disk-chain.ts';

/** How many users there are, one for each guest, by its name */
const userCount = 200_000_000;
const kvm = '/dev/kvm';
/** Beyond the disk itself: tables of its format */
const tablesMib = 1024;

/** A program, and what it is told, that starts QEMU confined. */
export interface ConfinedStart {
  readonly launcher: string;
  /** Shown by ps for the launcher */
  readonly name: string;
  /** What QEMU may do */
  readonly spec: object;
  /** Told why it could not be confined after all */
  readonly onFailure: (why: string) => void;
}

export interface PlanRequest {
  readonly machine: MachineSpec;
  /** Folder of its sockets */
  readonly socketFolder: string;
  /** Largest size of its disk, `MiB` */
  readonly diskMib: number;
  readonly hasState: boolean;
  /** True for one whose state will be saved, by a socket that it connects to */
  readonly isSaved: boolean;
  /** Threads and processes of QEMU */
  readonly processCount: number;
}

/** Makes the files ready. Absent where QEMU is not confined. Throws `state_damaged` for a disk that names others' files. */
export async function planConfinement(
  confinement: Confinement,
  request: PlanRequest,
): Promise<ConfinedStart | undefined> {
  const { machine, socketFolder } = request;
  const { storage, memory } = machine;
  const { diskMib } = request;
  const below = storage === undefined ? [] : await checkChain({ ...storage, sizeMib: diskMib });
  const { form, launcher } = confinement;
  if (form === undefined) return undefined;
  const newLayers = storage === undefined ? [] : [newLayersFolder(dirname(storage.disk), basename(socketFolder))];
  for (const folder of newLayers) await makeNewLayersFolder(folder, dirname(socketFolder));
  const read = [
    machine.kernel,
    machine.initramfs,
    ...(storage === undefined ? [] : [storage.rootImage, storage.projectImage, ...below]),
    ...(memory.isReadOnly && !memory.isShared ? [memory.path] : []),
  ];
  const write = [...(storage === undefined ? [] : [storage.disk]), ...(memory.isShared ? [memory.path] : [])];
  const devices = machine.accelerator === 'kvm' ? [kvm] : [];
  const groups = form.ownUser ? await groupsFor(devices) : [];
  const wish = groups === undefined || !form.ownUser ? 0 : userOf(machine.id);
  const own = [...write, socketFolder, ...newLayers];
  const uid = await giveFiles(confinement, wish, { read, own, taken: [...own, ...below] });
  const spec = {
    namespaces: form.namespaces,
    user_namespace: form.userNamespace,
    uid,
    groups: groups ?? [],
    landlock: form.landlock,
    read: [...confinement.programFiles, ...new Set(read)],
    write,
    drop: newLayers,
    sockets: [socketFolder],
    devices,
    ram: memory.isShared || memory.isReadOnly ? '' : memory.path,
    connects: request.isSaved,
    limits: {
      open_files: 1024,
      // Only where nobody else counts: other programs of the same user do, before Linux 5.14.
      processes: uid === 0 ? 0 : request.processCount,
      file_bytes: fileBytes(Math.max(diskMib, machine.memoryMib)),
    },
    descriptors: request.hasState ? 4 : 3,
    environment: programEnvironment(),
  };
  return { launcher, name: `pyro-${machine.id}`, spec, onFailure: confinement.onFailure };
}

/** Largest file of who writes a disk of this size, `bytes`. */
export function fileBytes(diskMib: number): number {
  return Math.ceil((diskMib * 1.1 + tablesMib) * mebibyte);
}

/** Makes files ready for a program that is shut in; gives the user that it is to be, 0 for who we are. */
export async function giveFiles(
  confinement: Pick<Confinement, 'onFailure'>,
  wish: number,
  files: {
    readonly read: readonly string[];
    readonly own: readonly string[];
    /** Those that another guest's user may have */
    readonly taken: readonly string[];
  },
): Promise<number> {
  if (wish !== 0 && (await handOver(wish, files.read, files.own, confinement))) return wish;
  // Root without its rights opens no file of another user, and these may have had one.
  for (const path of files.taken) await takeBack(path);
  return 0;
}

/** The user of a program that is shut in, by the name of what it is for. */
export function userOf(id: string): number {
  return firstUser + 1 + (createHash('sha256').update(id).digest().readUInt32BE(0) % userCount);
}

/** Groups that may use the devices; undefined when only their owner may, who then QEMU has to be. */
async function groupsFor(devices: readonly string[]): Promise<number[] | undefined> {
  const groups: number[] = [];
  for (const device of devices) {
    const { mode, gid } = await stat(device);
    if ((mode & 0o006) === 0o006) continue;
    if ((mode & 0o060) !== 0o060) return undefined;
    groups.push(gid);
  }
  return groups;
}

/**
 * Our folders let nobody else in: a file in them that all may read is still read by who is shown it alone. False where the
 * file system takes no other owner.
 */
async function handOver(
  uid: number,
  read: readonly string[],
  own: readonly string[],
  { onFailure }: Pick<Confinement, 'onFailure'>,
): Promise<boolean> {
  try {
    for (const path of read) {
      const { mode } = await stat(path);
      if ((mode & 0o004) === 0) await chmod(path, (mode & 0o777) | 0o004);
    }
    for (const path of own) await chown(path, uid, uid);
    return true;
  } catch (error) {
    onFailure(`no user of its own: ${messageOf(error)}`);
    return false;
  }
}

/** Gives files back that a QEMU had for its own. One that nobody can give away was not given away either. */
export async function takeBack(path: string): Promise<void> {
  const [uid, gid] = [process.getuid?.(), process.getgid?.()];
  if (uid === 0 && gid !== undefined) await chown(path, uid, gid).catch(() => undefined);
}

/** Layers that a running guest gets: a folder beside its disk, in which it finds what is linked there. */
export function newLayersFolder(diskFolder: string, socketFolderName: string): string {
  return join(diskFolder, `new-${socketFolderName}`);
}

async function makeNewLayersFolder(folder: string, runtimeFolder: string): Promise<void> {
  // Those of guests that have ended otherwise than by us.
  for (const name of await readdir(dirname(folder))) {
    const [, owner] = /^new-(.+)$/.exec(name) ?? [];
    if (owner !== undefined && !(await exists(join(runtimeFolder, owner))))
      await rm(join(dirname(folder), name), { recursive: true, force: true });
  }
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { mode: 0o700 });
}

/** Shows a layer to a guest that runs; gives the path by which it finds it. */
export async function showLayer(folder: string, layer: string): Promise<string> {
  const status = await stat(folder).catch(() => undefined);
  // A guest that is not confined sees every path.
  if (status === undefined) return layer;
  const shown = join(folder, basename(layer));
  await link(layer, shown);
  if (status.uid !== process.getuid?.()) await chown(layer, status.uid, status.gid);
  return shown;
}
