// What is remembered of an image's entries: bounded over all layers, however small the archives are that they come from.
import { describe, expect, it } from 'vitest';
import { type EntryBudget, gatherEntries } from '../../../src/environment/squash.ts';
import type { TarEntry } from '../../../src/system/tar-header.ts';

const plain = { type: 'file', mode: 0, uid: 0, gid: 0, size: 0, mtime: 0, devmajor: 0, devminor: 0 } as const;

async function* items(count: number, more: Partial<TarEntry>): AsyncGenerator<{ entry: TarEntry }> {
  for (let at = 0; at < count; at++) yield { entry: { ...plain, name: `f${at}`, linkname: '', xattrs: [], ...more } };
}

describe('entries of an image', () => {
  it.each([
    ['their number', {}],
    ['long names', { name: 'n'.repeat(5000) }],
    ['long targets', { linkname: 'l'.repeat(5000) }],
    ['attributes', { xattrs: [['user.a', 'v'.repeat(5000)]] }],
  ] as const)('are refused when they take too much by %s', async (_what, more) => {
    const room: EntryBudget = { left: 20_000 };
    await expect(gatherEntries(items(100, more), 7, room)).rejects.toMatchObject({
      code: 'image_invalid',
      message: expect.stringContaining('layer 7'),
    });
  });

  it('share the room of all layers', async () => {
    const room: EntryBudget = { left: 20_000 };
    expect(await gatherEntries(items(50, {}), 1, room)).toHaveLength(50);
    await expect(gatherEntries(items(50, {}), 2, room)).rejects.toMatchObject({ code: 'image_invalid' });
  });
});
