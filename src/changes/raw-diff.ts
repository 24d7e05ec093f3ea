// Reads what `git diff-tree -z --raw --numstat` has written to a file, record by record.
import { createReadStream } from 'node:fs';
import { PyroError } from '../shared/errors.ts';

/** One path that two trees of the lab have differently. Its bytes are made when asked for: there may be many of these. */
export class RawChange {
  /** Git's letter: A, D, M, T or R */
  readonly letter: string;
  /** Keys of the old path and the new one */
  readonly oldKey: string;
  readonly key: string;
  readonly oldMode: string;
  readonly newMode: string;
  readonly oldBlob: string;
  readonly newBlob: string;
  /** Lines added and taken away; undefined for what Git treats as binary, or when they were not asked for */
  lines: { readonly added: number; readonly deleted: number } | undefined;

  constructor(facts: Omit<RawChange, 'path' | 'oldPath' | 'lines'>) {
    this.letter = facts.letter;
    this.oldKey = facts.oldKey;
    this.key = facts.key;
    this.oldMode = facts.oldMode;
    this.newMode = facts.newMode;
    this.oldBlob = facts.oldBlob;
    this.newBlob = facts.newBlob;
  }

  get path(): Buffer {
    return Buffer.from(this.key, 'latin1');
  }

  get oldPath(): Buffer {
    return Buffer.from(this.oldKey, 'latin1');
  }
}

const rawPattern = /^:(\d{6}) (\d{6}) ([0-9a-f]{40}) ([0-9a-f]{40}) ([A-Z])\d*$/;
const numbersPattern = /^(\d+|-)\t(\d+|-)\t/;
const readBytes = 256 * 1024;

/** What `--raw` alone has written, one after the other: none of them is held here. */
export async function* rawChangesIn(file: string): AsyncGenerator<RawChange> {
  const records = zeroEnded(file);
  for await (const record of records) yield await rawChange(rawPattern.exec(record) ?? unexpected(), records);
}

export async function readRawDiff(file: string): Promise<RawChange[]> {
  const records = zeroEnded(file);
  const changes: RawChange[] = [];
  const byKey = new Map<string, RawChange>();
  for await (const record of records) {
    const raw = rawPattern.exec(record);
    if (raw !== null) {
      const change = await rawChange(raw, records);
      changes.push(change);
      byKey.set(change.key, change);
      continue;
    }
    const [head, added, deleted] = numbersPattern.exec(record) ?? unexpected();
    let key = record.slice(head.length);
    if (key === '') {
      // A rename has its two names in records of their own.
      await nextOf(records);
      key = await nextOf(records);
    }
    const change = byKey.get(key);
    if (change !== undefined && added !== '-') change.lines = { added: Number(added), deleted: Number(deleted) };
  }
  return changes;
}

async function rawChange(
  [, oldMode = '', newMode = '', oldBlob = '', newBlob = '', letter = '']: readonly string[],
  records: AsyncIterator<string>,
): Promise<RawChange> {
  const oldKey = await nextOf(records);
  const key = letter === 'R' ? await nextOf(records) : oldKey;
  return new RawChange({ letter, oldKey, key, oldMode, newMode, oldBlob, newBlob });
}

async function nextOf(records: AsyncIterator<string>): Promise<string> {
  return (await records.next()).value ?? unexpected();
}

/** The pieces that end in a zero byte each, as latin1; never more of the file than a chunk is held for them. */
export async function* zeroEnded(file: string): AsyncGenerator<string, undefined> {
  let rest = '';
  for await (const chunk of createReadStream(file, { highWaterMark: readBytes, encoding: 'latin1' })) {
    const pieces = `${rest}${chunk}`.split('\0');
    rest = pieces.pop() ?? '';
    yield* pieces;
  }
  if (rest !== '') yield rest;
  return undefined;
}

function unexpected(): never {
  throw new PyroError('tool_failed', 'git diff-tree printed something unexpected');
}
