// Layers of a guest's disk: made on another, taken live, merged while nobody uses them.
import { rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import type { GuestClient } from '../agent/guest-client.ts';
import { PyroError } from '../shared/errors.ts';
import { type CommandOptions, runCommand } from '../system/command.ts';
import { filesBelow } from './disk-chain.ts';
import type { Qmp } from './qmp.ts';

/** How layers are made and read while no guest uses them. */
export interface DiskLayers {
  /** An empty layer at `path` on a file beside it */
  readonly create: (path: string, below: string, sizeMib: number, signal: AbortSignal) => Promise<void>;
  /** Name of the file below a layer; undefined for one that is not whole */
  readonly below: (path: string, signal: AbortSignal) => Promise<string | undefined>;
  /** Writes a layer of `folder` into the one below it, and puts its children there. Safe to be cut off */
  readonly merge: (folder: string, merge: LayerMerge, signal: AbortSignal) => Promise<void>;
  /** A whole disk, with all layers below it, as one file */
  readonly flatten: (top: string, output: string, format: 'raw' | 'qcow2', signal: AbortSignal) => Promise<void>;
}

/** File names of one folder. */
export interface LayerMerge {
  /** Layer that goes away, its content written into `into` */
  readonly from: string;
  readonly into: string;
  /** Layers that lay on `from` and lie on `into` afterwards */
  readonly children: readonly string[];
}

/** Layers in the format of QEMU, by its tools. */
export const qemuLayers: DiskLayers = {
  create: createLayer,
  below: layerBelow,
  merge: mergeLayer,
  flatten: flattenDisk,
};

/** A program that wrote on after a kill -9 of ours would hold the locks of the layers that the next one wants. */
function tied(signal: AbortSignal): CommandOptions {
  return { signal, endsWithUs: true };
}

/** An empty layer at `path` on a file beside it, which it names relative to itself. */
async function createLayer(path: string, below: string, diskMib: number, signal: AbortSignal): Promise<void> {
  const options = ['create', '-q', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', below, path, `${diskMib}M`];
  await runCommand('qemu-img', options, tied(signal));
}

/** Name of the file below a layer that nobody uses; undefined for one that is not whole. */
async function layerBelow(path: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    await filesBelow(path);
    // Also where somebody has it open still, who could keep us from it.
    const { stdout } = await runCommand('qemu-img', ['info', '-U', '--output=json', path], { signal });
    return imageSchema.parse(JSON.parse(stdout))['backing-filename'];
  } catch {
    // Cut off while it was made: nothing can stand in it.
    signal.throwIfAborted();
    return undefined;
  }
}

const imageSchema = z.object({ 'backing-filename': z.string().optional() });
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
    if (/^[\w.-]+$/.test(name)) return name;
  } catch {
    // Neither a path nor a description of nodes: said below.
  }
  throw new PyroError('qemu_failed', 'QEMU names the disk of the guest in a way that is not known');
}

export interface LayeredGuest {
  readonly client: Pick<GuestClient, 'freeze' | 'thaw'>;
  readonly qmp: Pick<Qmp, 'execute'>;
  /** Lets it see a layer; gives the path by which it does */
  readonly show: (layer: string) => Promise<string>;
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
  { qmp, show }: Pick<LayeredGuest, 'qmp' | 'show'>,
  path: string,
  diskMib: number,
  signal: AbortSignal,
): Promise<void> {
  const { node, file } = await topLayer(qmp);
  try {
    await createLayer(path, file, diskMib, signal);
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
async function mergeLayer(folder: string, merge: LayerMerge, signal: AbortSignal): Promise<void> {
  for (const name of [merge.from, merge.into, ...merge.children]) await filesBelow(join(folder, name));
  await runCommand('qemu-img', ['commit', '-q', '-d', '-f', 'qcow2', join(folder, merge.from)], tied(signal));
  for (const child of merge.children) {
    const options = ['rebase', '-q', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', merge.into, join(folder, child)];
    await runCommand('qemu-img', options, tied(signal));
  }
}

/** A whole disk, with all layers below it, as one file. */
async function flattenDisk(top: string, output: string, format: 'raw' | 'qcow2', signal: AbortSignal): Promise<void> {
  await filesBelow(top);
  await runCommand('qemu-img', ['convert', '-q', '-f', 'qcow2', '-O', format, basename(top), output], {
    ...tied(signal),
    cwd: dirname(top),
  });
}
