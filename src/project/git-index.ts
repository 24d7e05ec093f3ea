// Git's index file, read and rewritten: the same entries, with times and sizes that hold in the guest.
import { createHash } from 'node:crypto';
import { PyroError } from '../shared/errors.ts';

export interface IndexEntry {
  /** Path as latin1 */
  readonly path: string;
  readonly mode: number;
  readonly oid: string;
  /** 0, or 1 to 3 for the sides of a conflict */
  readonly stage: number;
  readonly isAssumedUnchanged: boolean;
  readonly isSkipped: boolean;
  readonly isIntentToAdd: boolean;
  /** Where the entry begins in the file */
  readonly offset: number;
}

export interface GitIndex {
  readonly entries: readonly IndexEntry[];
  readonly bytes: Buffer;
  readonly entriesEnd: number;
  /** Extension with the trees of unchanged folders, which makes status quick */
  readonly treeExtension: Buffer | undefined;
  /** True for a split or a sparse index, which git itself must unfold first */
  readonly isFolded: boolean;
}

export const gitlinkMode = 0o160000;

/** Parses an index of version 2, 3 or 4. Throws `seed_invalid`. */
export function parseIndex(bytes: Buffer, hashLength: number): GitIndex {
  const end = bytes.length - hashLength;
  if (end < 12 || bytes.toString('latin1', 0, 4) !== 'DIRC') throw broken('no header');
  const version = bytes.readUInt32BE(4);
  if (version < 2 || version > 4) throw broken(`version ${version}`);
  const entries: IndexEntry[] = [];
  let offset = 12;
  let previous = '';
  for (let left = bytes.readUInt32BE(8); left > 0; left--) {
    const flagsAt = offset + 40 + hashLength;
    if (flagsAt + 4 > end) throw broken('cut short');
    const flags = bytes.readUInt16BE(flagsAt);
    const isExtended = (flags & 0x4000) !== 0;
    const extended = isExtended ? bytes.readUInt16BE(flagsAt + 2) : 0;
    let nameAt = flagsAt + (isExtended ? 4 : 2);
    let kept = '';
    if (version === 4) {
      let byte = bytes[nameAt++] ?? 0;
      let strip = byte & 127;
      while ((byte & 128) !== 0) {
        byte = bytes[nameAt++] ?? 0;
        strip = (strip + 1) * 128 + (byte & 127);
      }
      if (strip > previous.length) throw broken('a path');
      kept = previous.slice(0, previous.length - strip);
    }
    const nameEnd = bytes.indexOf(0, nameAt);
    if (nameEnd < 0 || nameEnd >= end) throw broken('a path without an end');
    const path = kept + bytes.toString('latin1', nameAt, nameEnd);
    entries.push({
      path,
      mode: bytes.readUInt32BE(offset + 24),
      oid: bytes.toString('hex', offset + 40, flagsAt),
      stage: (flags >> 12) & 3,
      isAssumedUnchanged: (flags & 0x8000) !== 0,
      isSkipped: (extended & 0x4000) !== 0,
      isIntentToAdd: (extended & 0x2000) !== 0,
      offset,
    });
    previous = path;
    offset = version === 4 ? nameEnd + 1 : offset + ((nameEnd - offset + 8) & ~7);
  }
  return { entries, bytes, entriesEnd: offset, ...readExtensions(bytes, offset, end) };
}

function readExtensions(bytes: Buffer, from: number, end: number): Pick<GitIndex, 'treeExtension' | 'isFolded'> {
  let treeExtension: Buffer | undefined;
  let isFolded = false;
  for (let at = from; at + 8 <= end; ) {
    const name = bytes.toString('latin1', at, at + 4);
    const next = at + 8 + bytes.readUInt32BE(at + 4);
    if (next > end) throw broken(`extension ${name}`);
    if (name === 'TREE') treeExtension = bytes.subarray(at, next);
    if (name === 'link' || name === 'sdir') isFolded = true;
    at = next;
  }
  return { treeExtension, isFolded };
}

export interface EntryStat {
  readonly mtimeMs: number;
  readonly size: number;
}

/**
 * The index for the guest. An entry that is clean on the host gets the time and size of its file, so that git believes
 * it at a glance; one without a stat gets size 0, git's own mark for "compare the content". Extensions that hold
 * facts about the host (untracked cache, file watcher) or offsets stay behind.
 */
export function rewriteIndex(
  index: GitIndex,
  objectFormat: string,
  statOf: (entry: IndexEntry) => EntryStat | undefined,
): Buffer {
  const body = Buffer.concat([index.bytes.subarray(0, index.entriesEnd), index.treeExtension ?? Buffer.alloc(0)]);
  for (const entry of index.entries) {
    const stat = statOf(entry);
    body.fill(0, entry.offset, entry.offset + 24);
    body.fill(0, entry.offset + 28, entry.offset + 40);
    if (stat === undefined) continue;
    body.writeUInt32BE(Math.floor(stat.mtimeMs / 1000) >>> 0, entry.offset + 8);
    body.writeUInt32BE(stat.size % 2 ** 32, entry.offset + 36);
  }
  return Buffer.concat([body, createHash(objectFormat).update(body).digest()]);
}

function broken(what: string): PyroError {
  return new PyroError('seed_invalid', `the index of the checkout does not parse: ${what}`, {
    hint: 'look with: git status; git read-tree HEAD rebuilds the index',
  });
}
