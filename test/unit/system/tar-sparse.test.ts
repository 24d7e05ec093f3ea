// Files with holes in layers: what GNU tar writes in each of its forms is read as the file was; hostile maps are refused.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readLayer } from '../../../src/environment/layer-reader.ts';
import type { TarEntry } from '../../../src/system/tar-header.ts';
import { padding, writeHeader } from '../../../src/system/tar-write.ts';
import { folderForAll } from '../../support/own-folder.ts';
import { plainFile } from '../../support/tar-entry.ts';

let folder: string;
folderForAll('pyro-sparse-', (made) => {
  folder = made;
});

interface Found {
  readonly entry: TarEntry;
  readonly sha256: string;
  readonly bytes: number;
}

async function read(path: string, withData = true): Promise<Found[]> {
  const found: Found[] = [];
  for await (const { entry, data } of readLayer({ path, number: 1, signal: AbortSignal.timeout(60_000) })) {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const piece of withData ? data() : []) {
      hash.update(piece);
      bytes += piece.length;
    }
    found.push({ entry, sha256: hash.digest('hex'), bytes });
  }
  return found;
}

const sizes = {
  'no hole.txt': { size: 5, places: [0] },
  'all hole': { size: 3_000_000, places: [] },
  'hole in front': { size: 1_000_005, places: [1_000_000] },
  'hole at the end': { size: 5_000_000, places: [0] },
  'many holes': { size: 30_000_000, places: Array.from({ length: 70 }, (_, index) => index * 400_000) },
};

function makeFiles(): string {
  const tree = mkdtempSync(join(folder, 'tree-'));
  for (const [name, { size, places }] of Object.entries(sizes)) {
    const file = openSync(join(tree, name), 'w');
    for (const place of places) writeSync(file, 'HELLO', place);
    closeSync(file);
    truncateSync(join(tree, name), size);
  }
  writeFileSync(join(tree, 'z-last'), 'what stands behind them');
  return tree;
}

describe('files with holes', () => {
  it.each([
    ['GNU', ['--format=gnu']],
    ['PAX 0.0', ['--format=posix', '--sparse-version=0.0']],
    ['PAX 0.1', ['--format=posix', '--sparse-version=0.1']],
    ['PAX 1.0', ['--format=posix', '--sparse-version=1.0']],
  ])('are read in the form %s', async (_name, options) => {
    const tree = makeFiles();
    const archive = join(folder, 'sparse.tar');
    const made = spawnSync('tar', ['--sparse', '--hole-detection=raw', ...options, '-cf', archive, '-C', tree, '.']);
    expect(made.status).toBe(0);
    // Otherwise nothing is tried.
    expect(readFileSync(archive).length).toBeLessThan(2_000_000);
    const files = (await read(archive)).filter(({ entry }) => entry.type === 'file');
    expect(files.map(({ entry }) => entry.name).sort()).toEqual(
      [...Object.keys(sizes), 'z-last'].sort().map((name) => `./${name}`),
    );
    for (const { entry, sha256, bytes } of files) {
      const content = readFileSync(join(tree, entry.name));
      expect([entry.name, bytes, sha256]).toEqual([
        entry.name,
        content.length,
        createHash('sha256').update(content).digest('hex'),
      ]);
      expect(entry.size).toBe(content.length);
    }
  });

  it.each([
    ['a map that goes on behind the end', '0,5', '4'],
    ['a map that goes back', '8,2,0,3', '20'],
    ['a map of more than is stored', '0,6', '20'],
    ['a map of less than is stored', '0,4', '20'],
    ['half a pair', '0,5,9', '20'],
    ['words', '0,five', '20'],
    ['numbers without end', `0,${'9'.repeat(30)}`, '20'],
    ['a size without end', '0,5', '9'.repeat(30)],
  ])('are refused with %s', async (_name, map, size) => {
    await expect(read(paxSparse({ 'GNU.sparse.map': map, 'GNU.sparse.size': size }, 'HELLO'))).rejects.toMatchObject({
      code: 'image_invalid',
    });
  });

  it.each([
    ['no count', '\n0\n5\n'],
    ['a count that no map follows', '9999\n'],
    ['a count without end', `${'9'.repeat(600)}`],
    ['no number', '1\n-1\n5\n'],
  ])('are refused with a map in the data that has %s', async (_name, map) => {
    const young = { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '20' };
    await expect(read(paxSparse(young, `${map.padEnd(512, '\0')}HELLO`))).rejects.toMatchObject({
      code: 'image_invalid',
    });
  });

  it('that are nearly endless are refused before a byte of them is read', async () => {
    const records = {
      'GNU.sparse.map': '0,5',
      'GNU.sparse.size': String(1.2e12),
      'GNU.sparse.name': 'var/log/lastlog',
    };
    await expect(read(paxSparse(records, 'HELLO'), false)).rejects.toMatchObject({
      code: 'image_unsupported',
      message: expect.stringContaining('"var/log/lastlog" is a file of 1200000000000 bytes'),
    });
  });
});

/** An archive of one entry with these records. */
function paxSparse(records: Readonly<Record<string, string>>, data: string): string {
  const body = Buffer.concat(Object.entries(records).map(([key, value]) => record(`${key}=${value}\n`)));
  const head = writeHeader({ ...plainFile, name: 'PaxHeader', size: body.length });
  head.write('x        ', 156, 1, 'latin1');
  head.write('        ', 148, 'latin1');
  const sum = head.reduce((total, byte) => total + byte, 0);
  head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  const own = writeHeader({ ...plainFile, name: 'x', size: data.length });
  const path = join(folder, 'pax.tar');
  const parts = [head, body, padding(body.length), own, Buffer.from(data), padding(data.length), Buffer.alloc(1024)];
  writeFileSync(path, Buffer.concat(parts));
  return path;
}

function record(text: string): Buffer {
  let length = text.length + 2;
  while (`${length} ${text}`.length !== length) length++;
  return Buffer.from(`${length} ${text}`);
}
