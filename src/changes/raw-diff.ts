// Reads what `git diff-tree -z --raw --numstat` prints.
import { PyroError } from '../shared/errors.ts';
import { splitRecords } from './git-lab.ts';
import { pathKey } from './git-paths.ts';

export interface RawChange {
  /** Git's letter: A, D, M, T or R */
  readonly letter: string;
  readonly oldPath: Buffer;
  readonly path: Buffer;
  readonly oldMode: string;
  readonly newMode: string;
  readonly oldBlob: string;
  readonly newBlob: string;
  /** Lines added and taken away; undefined for what Git treats as binary, or when they were not asked for */
  readonly lines: { readonly added: number; readonly deleted: number } | undefined;
}

const rawPattern = /^:(\d{6}) (\d{6}) ([0-9a-f]{40}) ([0-9a-f]{40}) ([A-Z])\d*$/;
const numbersPattern = /^(\d+|-)\t(\d+|-)\t/;

export function parseRawDiff(output: Buffer): RawChange[] {
  const records = splitRecords(output).values();
  const next = (): Buffer => records.next().value ?? unexpected();
  const changes: Omit<RawChange, 'lines'>[] = [];
  const lines = new Map<string, RawChange['lines']>();
  for (const record of records) {
    const text = record.toString('latin1');
    const raw = rawPattern.exec(text);
    if (raw !== null) {
      const [, oldMode = '', newMode = '', oldBlob = '', newBlob = '', letter = ''] = raw;
      const oldPath = next();
      changes.push({ letter, oldPath, path: letter === 'R' ? next() : oldPath, oldMode, newMode, oldBlob, newBlob });
      continue;
    }
    const numbers = numbersPattern.exec(text) ?? unexpected();
    const [head, added, deleted] = numbers;
    let path = record.subarray(head.length);
    if (path.length === 0) {
      // A rename has its two names in records of their own.
      next();
      path = next();
    }
    lines.set(pathKey(path), added === '-' ? undefined : { added: Number(added), deleted: Number(deleted) });
  }
  return changes.map((change) => ({ ...change, lines: lines.get(pathKey(change.path)) }));
}

function unexpected(): never {
  throw new PyroError('tool_failed', 'git diff-tree printed something unexpected');
}
