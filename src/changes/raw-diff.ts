// Reads what `git diff-tree --raw --numstat -z` prints.

export interface RawEntry {
  /** A, D, M, T or R */
  readonly status: string;
  readonly oldMode: string;
  readonly newMode: string;
  readonly oldBlob: string;
  readonly newBlob: string;
  readonly path: Buffer;
  readonly oldPath: Buffer | undefined;
  /** Lines added and deleted; undefined for binary content */
  readonly lines: { readonly added: number; readonly deleted: number } | undefined;
}

/** Entries in Git's order; output of Git itself, so what does not fit is a bug. */
export function parseRawDiff(bytes: Buffer): RawEntry[] {
  const fields = new Fields(bytes);
  const entries: Omit<RawEntry, 'lines'>[] = [];
  const counts = new Map<string, RawEntry['lines']>();
  while (!fields.isEnd) {
    const head = fields.next();
    if (head[0] === 0x3a) {
      const [oldMode = '', newMode = '', oldBlob = '', newBlob = '', letter = ''] = head
        .toString('latin1', 1)
        .split(' ');
      const first = fields.next();
      const isRename = letter.startsWith('R') || letter.startsWith('C');
      const path = isRename ? fields.next() : first;
      const oldPath = isRename ? first : undefined;
      entries.push({ status: letter.slice(0, 1), oldMode, newMode, oldBlob, newBlob, path, oldPath });
      continue;
    }
    const match = /^(\d+|-)\t(\d+|-)\t(.*)$/s.exec(head.toString('latin1'));
    if (match === null) throw new Error('git printed a diff that does not parse');
    // With an empty name a rename follows: the old name, then the new one.
    if (match[3] === '') fields.next();
    const name = match[3] === '' ? fields.next().toString('latin1') : (match[3] ?? '');
    counts.set(name, match[1] === '-' ? undefined : { added: Number(match[1]), deleted: Number(match[2]) });
  }
  return entries.map((entry) => ({ ...entry, lines: counts.get(entry.path.toString('latin1')) }));
}

class Fields {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  next(): Buffer {
    const end = this.#bytes.indexOf(0, this.#at);
    const field = this.#bytes.subarray(this.#at, end < 0 ? this.#bytes.length : end);
    this.#at = end < 0 ? this.#bytes.length : end + 1;
    return field;
  }
}
