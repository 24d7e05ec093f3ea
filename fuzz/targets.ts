// Parsers of foreign bytes, each with its examples and with what it owes for any input: a result that holds, or an error of ours.
import { ok as holds, deepStrictEqual as same } from 'node:assert';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { editText } from '../src/changes/envelope-edit.ts';
import { parseEnvelope } from '../src/changes/envelope-parse.ts';
import { refusalOfGit } from '../src/changes/git-paths.ts';
import { entriesOf } from '../src/environment/choose.ts';
import { readLayer } from '../src/environment/layer-reader.ts';
import { LayerTree } from '../src/environment/layer-tree.ts';
import { parseConfig, parseManifest } from '../src/environment/manifest.ts';
import { parseReference } from '../src/environment/reference.ts';
import { unpackZstd } from '../src/environment/zstd.ts';
import { parseInput } from '../src/operations/check-input.ts';
import { forgiveInput } from '../src/operations/forgive-input.ts';
import { operations } from '../src/operations/index.ts';
import { isPyroError } from '../src/shared/errors.ts';
import { blockSize, readEntry, readPax, readRawHeader, type TarEntry } from '../src/system/tar-header.ts';
import { writeHeader } from '../src/system/tar-write.ts';
import {
  envelopes,
  layers,
  manifests,
  paxRecords,
  references,
  tarHeaders,
  toolInputs,
  withChecksum,
  zstdFiles,
} from './examples.ts';

export interface Target {
  readonly examples: readonly Buffer[];
  /** Throws anything but an error of ours where the parser breaks its word */
  readonly run: (input: Buffer) => void | Promise<void>;
}

const plain = { records: new Map<string, string>(), longName: undefined, longLink: undefined };

export const targets: Readonly<Record<string, Target>> = {
  'tar-header': {
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
  },
  pax: {
    examples: paxRecords,
    run: (input) => {
      let size = 0;
      for (const [key, value] of readPax(input)) size += key.length + value.length;
      holds(size <= input.length);
    },
  },
  layer: {
    examples: layers,
    run: async (input) => {
      const path = join(tmpdir(), `pyro-fuzz-${process.pid}`);
      await writeFile(path, input.readUInt8(0) === 0x1f ? input : withChecksum(input));
      try {
        const entries: TarEntry[] = [];
        for await (const { entry } of readLayer({ path, number: 1, signal: AbortSignal.timeout(10_000) }))
          entries.push(entry);
        const tree = new LayerTree();
        tree.apply(0, entries);
        for (const { path: name } of tree.walk()) {
          holds(
            name !== '' &&
              !name.split('/').some((part) => part === '' || part === '.' || part === '..' || part.length > 255),
          );
        }
      } finally {
        await rm(path, { force: true });
      }
    },
  },
  zstd: {
    examples: zstdFiles,
    run: async (input) => {
      try {
        for await (const piece of unpackZstd(Readable.from([input], { objectMode: false }))) holds(piece.length > 0);
      } catch (error) {
        // Node's own decoder refuses what is inside a frame; the layer's reader words it.
        if (!(error instanceof Error && 'code' in error && /^(ZSTD_error_|ERR_)/.test(String(error.code)))) throw error;
      }
    },
  },
  manifest: {
    examples: manifests,
    run: (input) => {
      for (const parse of [
        () => entriesOf(input),
        () => parseManifest(input, 'image'),
        () => parseConfig(input, { config: { digest: '', size: 0 }, layers: [] }, 'image'),
      ]) {
        tolerate(parse);
      }
    },
  },
  reference: {
    examples: references,
    run: (input) => {
      const reference = parseReference(input.toString('utf8'));
      same(parseReference(reference.canonical), reference);
      holds(!/[^\x21-\x7e]/.test(reference.canonical));
    },
  },
  envelope: {
    examples: envelopes,
    run: (input) => {
      for (const section of parseEnvelope(input.toString('latin1'))) {
        holds(refusalOfGit(section.path, false) === undefined);
        if (section.kind !== 'update') continue;
        const result = editText(edited, section.hunks);
        holds(typeof result === 'string' || (result.hunk >= 1 && result.hunk <= section.hunks.length));
      }
    },
  },
  'tool-input': {
    examples: toolInputs,
    run: (input) => {
      let given: unknown;
      try {
        given = JSON.parse(input.toString('utf8'));
      } catch {
        // The transport reads JSON; what is none never comes here.
        return;
      }
      const parsed = fields.safeParse(given);
      if (!parsed.success) return;
      for (const operation of operations) {
        tolerate(() => {
          const { input: whole } = forgiveInput(operation, parsed.data);
          parseInput(operation, whole);
          same(forgiveInput(operation, whole), { input: whole, notes: [] });
        });
      }
    },
  },
};

const fields = z.record(z.string(), z.unknown());
const edited = 'one\ntwo\r\nthree\n\nfive';

/** Runs a parser that may refuse its input. */
function tolerate(parse: () => unknown): void {
  try {
    parse();
  } catch (error) {
    if (!isPyroError(error)) throw error;
  }
}
