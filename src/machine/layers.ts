// Layers of a guest's disk: made on another, taken live, merged while nobody uses them.
import { open, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import type { GuestClient } from '../agent/guest-client.ts';
import { layerNamePattern } from '../contract/records.ts';
import { PyroError } from '../shared/errors.ts';
import type { Confinement } from './confinement.ts';
import { checkChain, type DiskChain, nameBelow } from './disk-chain.ts';
import { runImageTool } from './image-tool.ts';
import type { Qmp } from './qmp.ts';

/** How layers are made and read while no guest uses them. */
export interface DiskLayers {
  /** An empty layer at `path` on a file beside it */
  readonly create: (path: string, below: string, sizeMib: number, signal: AbortSignal) => Promise<void>;
  /** Name of the file below a layer; undefined for one that is not whole */
  readonly below: (path: string) => Promise<string | undefined>;
  /** Writes a layer of `folder` into the one below it, and puts its children there. Safe to be cut off */
  readonly merge: (folder: string, merge: LayerMerge, signal: AbortSignal) => Promise<void>;
  /** A whole disk, with all layers below it, as one new file */
  readonly flatten: (disk: DiskChain, output: string, format: 'raw' | 'qcow2', signal: AbortSignal) => Promise<void>;
}

/** File names of one folder. */
export interface LayerMerge {
  /** Layer that goes away, its content written into `into` */
  readonly from: string;
  readonly into: string;
  /** Layers that lay on `from` and lie on `into` afterwards */
  readonly children: readonly string[];
  /** What `into` stands on, in its order */
  readonly below: readonly string[];
  /** Size of the disk, `MiB` */
  readonly sizeMib: number;
}

/** Layers in the format of QEMU, by its tool, which is shut in. */
export function qemuLayers(confinement: Confinement): DiskLayers {
  return {
    create: (...layer) => createLayer(confinement, ...layer),
    // By our own reading: one that was cut off while it was made says nothing of what it stands on.
    below: nameBelow,
    merge: (...layers) => mergeLayer(confinement, ...layers),
    flatten: (...disk) => flattenDisk(confinement, ...disk),
  };
}

/** An empty layer at `path` on a file beside it, which it names relative to itself. */
async function createLayer(
  confinement: Confinement,
  path: string,
  below: string,
  sizeMib: number,
  signal: AbortSignal,
): Promise<void> {
  await makeEmpty(path);
  const args = ['create', '-q', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', below, path, `${sizeMib}M`];
  await runImageTool(confinement, { args, write: [path], sizeMib }, signal);
}

/** The tool sees files, not folders: what it is to make stands there before. */
async function makeEmpty(path: string): Promise<void> {
  await (await open(path, 'wx', 0o600)).close();
}

const blockSchema = z.array(
  z.object({
    qdev: z.string().optional(),
    inserted: z.object({ 'node-name': z.string().optional(), file: z.string() }).optional(),
  }),
);

/** Node and file of the layer that a running guest writes. */
export async function topLayer(qmp: Pick<Qmp, 'execute'>): Promise<{ node: string; file: string }> {
  const blocks = blockSchema.parse(await qmp.execute('query-block'));
  const top = blocks.find(({ qdev }) => qdev !== undefined && /(^|\/)vs(\/|$)/.test(qdev))?.inserted;
  if (top?.['node-name'] === undefined) throw new PyroError('qemu_failed', "QEMU does not name the guest's disk");
  return { node: top['node-name'], file: layerName(top.file) };
}

const nodeSchema = z.object({ file: z.object({ filename: z.string() }) });

/**
 * Name of a layer's file as QEMU tells it: a path, or, once a layer was pushed onto another, `json:` and the
 * description of its nodes. Throws `qemu_failed` for anything else.
 */
export function layerName(told: string): string {
  try {
    const path = told.startsWith('json:') ? nodeSchema.parse(JSON.parse(told.slice(5))).file.filename : told;
    const name = basename(path);
    if (layerNamePattern.test(name)) return name;
  } catch {
    // Neither a path nor a description of nodes: said below.
  }
  throw new PyroError('qemu_failed', 'QEMU names the disk of the guest in a way that is not known');
}

export interface LayeredGuest {
  readonly client: Pick<GuestClient, 'freeze' | 'thaw'>;
  readonly qmp: Pick<Qmp, 'execute'>;
  readonly confinement: Confinement;
  /** Lets it see a layer; gives the path by which it does */
  readonly show: (layer: string) => Promise<string>;
}

/** Freezes the disk of a guest; one that is paused or silent is told as that, in place of the end of a long wait. */
export function stillDisk(guest: {
  readonly client: LayeredGuest['client'];
  readonly use: <T>(work: () => Promise<T>) => Promise<T>;
}): LayeredGuest['client'] {
  return {
    freeze: async (options) => await guest.use(() => guest.client.freeze(options)),
    thaw: async () => await guest.use(() => guest.client.thaw()),
  };
}

/**
 * A running guest goes on writing in the layer at `path`, made on its present one, which is whole: its disk is still until
 * `note` is done. False when it was not still so long.
 */
export async function pushLayer(
  guest: LayeredGuest,
  path: string,
  sizeMib: number,
  note: () => Promise<void>,
  signal: AbortSignal,
): Promise<boolean> {
  // A frozen file system is whole on the disk: the layer below needs no repair when it is used.
  try {
    await guest.client.freeze({ signal });
    await pushOnTop(guest, path, sizeMib, signal);
    // Still frozen: the guest writes nothing into the new layer before it is noted.
    await note();
  } catch (error) {
    await guest.client.thaw().catch(() => undefined);
    throw error;
  }
  // One that does not answer goes on by itself, and may have done so already.
  return await guest.client.thaw().then(
    ({ wasFrozen }) => wasFrozen,
    () => false,
  );
}

async function pushOnTop(
  { qmp, confinement, show }: Omit<LayeredGuest, 'client'>,
  path: string,
  diskMib: number,
  signal: AbortSignal,
): Promise<void> {
  const { node, file } = await topLayer(qmp);
  try {
    await createLayer(confinement, path, file, diskMib, signal);
    await qmp.execute('blockdev-snapshot-sync', {
      'node-name': node,
      'snapshot-file': await show(path),
      'snapshot-node-name': basename(path, '.qcow2'),
      format: 'qcow2',
      mode: 'existing',
    });
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

/**
 * Writes a layer into the one below it and puts its children there. Nobody may use any of them meanwhile. Safe to be
 * cut off: until the last step the chain reads the same.
 */
async function mergeLayer(
  confinement: Confinement,
  folder: string,
  { from, into, children, below, sizeMib }: LayerMerge,
  signal: AbortSignal,
): Promise<void> {
  const at = (name: string): string => join(folder, name);
  const [upper, lower] = [at(from), at(into)];
  const rest = below.map(at);
  const read = await checkChain({ disk: upper, below: [lower, ...rest], sizeMib });
  for (const child of children) await checkChain({ disk: at(child), below: [upper, lower, ...rest], sizeMib });
  const write = [upper, lower];
  const commit = ['commit', '-q', '-d', '-f', 'qcow2', upper];
  await runImageTool(
    confinement,
    { args: commit, read: read.filter((path) => path !== lower), write, sizeMib },
    signal,
  );
  for (const child of children) {
    const args = ['rebase', '-q', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', into, at(child)];
    await runImageTool(confinement, { args, write: [at(child)], sizeMib }, signal);
  }
}

/** A whole disk, with all layers below it, as one file. */
async function flattenDisk(
  confinement: Confinement,
  chain: DiskChain,
  output: string,
  format: 'raw' | 'qcow2',
  signal: AbortSignal,
): Promise<void> {
  const read = [chain.disk, ...(await checkChain(chain))];
  await makeEmpty(output);
  const args = ['convert', '-q', '-f', 'qcow2', '-O', format, chain.disk, output];
  await runImageTool(confinement, { args, read, write: [output], sizeMib: chain.sizeMib }, signal);
}
