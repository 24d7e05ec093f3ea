// What a registry sends: layers, their headers and compressions.
import { ok as holds, deepStrictEqual as same } from 'node:assert';
import { mkdtempSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { readLayer } from '../../src/environment/layer-reader.ts';
import { LayerTree } from '../../src/environment/layer-tree.ts';
import { unpackZstd } from '../../src/environment/zstd.ts';
import { blockSize, readEntry, readPax, readRawHeader, type TarEntry } from '../../src/system/tar-header.ts';
import { writeHeader } from '../../src/system/tar-write.ts';
import { layers, paxRecords, tarHeaders, withChecksum, zstdFiles } from '../examples.ts';
import type { Target } from '../target.ts';

const plain = { records: new Map<string, string>(), longName: undefined, longLink: undefined };

export const tarHeader: Target = {
  examples: tarHeaders,
  run: (input) => {
    const raw = readRawHeader(withChecksum(Buffer.concat([input, Buffer.alloc(blockSize)])).subarray(0, blockSize));
    if (raw === undefined) return;
    const entry = readEntry(raw, plain);
    holds(Number.isSafeInteger(entry.size) && entry.size >= 0);
    holds(entry.mtime >= 0 && entry.mtime <= 0xffffffff);
    // What we write for it reads as the same; long names go by a record then, which is the reader's part.
    const written = readRawHeader(writeHeader({ ...entry, name: entry.name.slice(0, 100) }).subarray(-blockSize));
    holds(written !== undefined);
    same(readEntry(written, plain), { ...entry, name: entry.name.slice(0, 100) });
  },
};

export const pax: Target = {
  examples: paxRecords,
  words: ['path=', 'linkpath=', 'size=', 'uid=', 'mtime=', 'SCHILY.xattr.', 'GNU.sparse.map=', 'GNU.sparse.major='],
  run: (input) => {
    let size = 0;
    for (const [key, value] of readPax(input)) size += key.length + value.length;
    holds(size <= input.length);
  },
};

const layerPath = join(mkdtempSync(join(tmpdir(), 'pyro-fuzz-')), 'layer');
process.once('exit', () => void rm(layerPath, { force: true }));

export const layer: Target = {
  isSlow: true,
  examples: layers,
  words: ['.wh.', '.wh..wh..opq', '../', './', 'ustar\u000000', '././@LongLink'],
  mend: (input) => (input[0] === 0x1f || input[0] === 0x28 ? input : withChecksum(input)),
  run: async (input) => {
    await writeFile(layerPath, input);
    const entries: TarEntry[] = [];
    for await (const { entry } of readLayer({ path: layerPath, number: 1, signal: AbortSignal.timeout(10_000) }))
      entries.push(entry);
    const tree = new LayerTree();
    tree.apply(0, entries);
    for (const { path: name } of tree.walk()) {
      holds(name !== '');
      holds(
        !name.split('/').some((part) => ['', '.', '..'].includes(part) || part.length > 255 || part.includes('\0')),
      );
    }
  },
};

export const zstd: Target = {
  examples: zstdFiles,
  run: async (input) => {
    try {
      for await (const piece of unpackZstd(Readable.from([input], { objectMode: false }))) holds(piece.length > 0);
    } catch (error) {
      // Node's own decoder refuses what is inside a frame; the layer's reader words it.
      if (!(error instanceof Error && 'code' in error && /^(ZSTD_error_|ERR_)/.test(String(error.code)))) throw error;
    }
  },
};
