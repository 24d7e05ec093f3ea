// Layers of a disk as the stand-in has them: a small file that names the one below it and the folder that holds its content.
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import type { DiskLayers } from '../../src/machine/layers.ts';
import { runCommand } from '../../src/system/command.ts';

const layerSchema = z.object({ below: z.string().nullable(), content: z.string().nullable() });
type Layer = z.infer<typeof layerSchema>;

export async function writeLayer(path: string, layer: Layer): Promise<void> {
  await writeFile(path, JSON.stringify(layer));
}

async function readLayer(path: string): Promise<Layer> {
  return layerSchema.parse(JSON.parse(await readFile(path, 'utf8')));
}

/** The folder that holds what a layer shows: its own, else that of the layers below it. */
async function contentOf(path: string): Promise<string | null> {
  const { below, content } = await readLayer(path);
  if (content !== null || below === null) return content;
  return await contentOf(join(dirname(path), below));
}

/** A copy of a layer's folder, below `root`; an empty folder for none. */
async function copyContent(root: string, from: string | null): Promise<string> {
  const to = join(root, randomBytes(6).toString('hex'));
  await mkdir(join(to, 'work'), { recursive: true });
  if (from === null) await mkdir(join(to, 'upper'));
  else await runCommand('cp', ['--archive', join(from, 'upper'), to]);
  return to;
}

/** The folder that a guest which starts on this layer writes. */
export async function ownContent(root: string, path: string): Promise<string> {
  const layer = await readLayer(path);
  if (layer.content !== null) return layer.content;
  const content = await copyContent(root, await contentOf(path));
  await writeLayer(path, { ...layer, content });
  return content;
}

/** The guest that writes `top` goes on in `next`, which lies on it. */
export async function pushOver(root: string, top: string, next: string): Promise<void> {
  const layer = await readLayer(top);
  await writeLayer(top, { ...layer, content: await copyContent(root, layer.content) });
  await writeLayer(next, { below: basename(top), content: layer.content });
}

export const standInLayers: DiskLayers = {
  create: (path, below) => writeLayer(path, { below, content: null }),
  below: async (path) => {
    const layer = await readLayer(path).catch(() => undefined);
    return layer?.below ?? undefined;
  },
  merge: async (folder, { from, into, children }) => {
    const lower = await readLayer(join(folder, into));
    await writeLayer(join(folder, into), { ...lower, content: await contentOf(join(folder, from)) });
    for (const child of children) {
      await writeLayer(join(folder, child), { ...(await readLayer(join(folder, child))), below: into });
    }
  },
  flatten: async ({ disk }, output, format, signal) => {
    const content = await contentOf(disk);
    const raw = format === 'raw' ? output : `${output}.flat`;
    const folder = content === null ? [] : ['-d', join(content, 'upper')];
    try {
      await runCommand('mke2fs', ['-q', '-t', 'ext4', ...folder, raw, '64M'], { signal });
      if (raw !== output) await runCommand('qemu-img', ['convert', '-f', 'raw', '-O', format, raw, output], { signal });
    } finally {
      if (raw !== output) await rm(raw, { force: true });
    }
  },
};
