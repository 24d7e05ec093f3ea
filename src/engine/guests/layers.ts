// The disk layers of a workspace as a tree: which are needed, and which can be merged. Pure.

import type { LayerMerge } from '../../machine/layers.ts';

/** File name of each layer to the file it lies on; null for the frozen disk of the template. */
export type Layers = Readonly<Record<string, string | null>>;

/** Name of the frozen disk of the template, beside the layers */
export const baseDiskName = 'base.qcow2';

export interface LayerUse {
  readonly layers: Layers;
  /** Size of the disk, `MiB` */
  readonly sizeMib: number;
  /** The layer that is written */
  readonly top: string;
  /** Layers that snapshots stand for */
  readonly kept: readonly string[];
}

/** Names of the files that a layer stands on, in their order; the last is the frozen disk of the template. */
export function namesBelow(layers: Layers, name: string): string[] {
  const names: string[] = [];
  for (let at = layers[name]; at !== null && at !== undefined && !names.includes(at); at = layers[at]) names.push(at);
  return [...names, baseDiskName];
}

/** Layers that the top or a snapshot stands on, themselves included. */
export function neededLayers({ layers, top, kept }: LayerUse): Set<string> {
  const needed = new Set<string>();
  for (const start of [top, ...kept]) {
    for (let at: string | null | undefined = start; at !== null && at !== undefined && !needed.has(at); at = layers[at])
      needed.add(at);
  }
  return needed;
}

/** The tree without what nothing needs. */
export function withoutUnneeded(use: LayerUse): { layers: Layers; unneeded: string[] } {
  const needed = neededLayers(use);
  const names = Object.keys(use.layers);
  return {
    layers: Object.fromEntries(Object.entries(use.layers).filter(([name]) => needed.has(name))),
    unneeded: names.filter((name) => !needed.has(name)),
  };
}

/** A layer whose only use is to carry one other: that other can be written into it. */
export function findMerge({ layers, kept, sizeMib }: LayerUse): LayerMerge | undefined {
  for (const into of Object.keys(layers)) {
    if (kept.includes(into)) continue;
    const carried = Object.keys(layers).filter((name) => layers[name] === into);
    const [from] = carried;
    // A snapshot's layer keeps its name, since snapshots name it.
    if (carried.length !== 1 || from === undefined || kept.includes(from)) continue;
    const children = Object.keys(layers).filter((name) => layers[name] === from);
    return { from, into, children, below: namesBelow(layers, into), sizeMib };
  }
  return undefined;
}

export function merged(
  use: LayerUse,
  { from, into, children }: Pick<LayerMerge, 'from' | 'into' | 'children'>,
): LayerUse {
  const layers = Object.fromEntries(
    Object.entries(use.layers)
      .filter(([name]) => name !== from)
      .map(([name, parent]) => [name, children.includes(name) ? into : parent]),
  );
  return { ...use, layers, top: use.top === from ? into : use.top };
}
