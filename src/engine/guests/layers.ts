// The disk layers of a workspace as a tree: which are needed, and which can be merged. Pure.

import type { LayerMerge } from '../../machine/layers.ts';

/** File name of each layer to the file it lies on; null for the frozen disk of the template. */
export type Layers = Readonly<Record<string, string | null>>;

export interface LayerUse {
  readonly layers: Layers;
  /** The layer that is written */
  readonly top: string;
  /** Layers that snapshots stand for */
  readonly kept: readonly string[];
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
export function findMerge({ layers, kept }: LayerUse): LayerMerge | undefined {
  for (const into of Object.keys(layers)) {
    if (kept.includes(into)) continue;
    const carried = Object.keys(layers).filter((name) => layers[name] === into);
    const [from] = carried;
    // A snapshot's layer keeps its name, since snapshots name it.
    if (carried.length !== 1 || from === undefined || kept.includes(from)) continue;
    return { from, into, children: Object.keys(layers).filter((name) => layers[name] === from) };
  }
  return undefined;
}

export function merged(use: LayerUse, { from, into, children }: LayerMerge): LayerUse {
  const layers = Object.fromEntries(
    Object.entries(use.layers)
      .filter(([name]) => name !== from)
      .map(([name, parent]) => [name, children.includes(name) ? into : parent]),
  );
  return { ...use, layers, top: use.top === from ? into : use.top };
}
