// What a workspace of a peaceful client must hold: the files that it has written, and the same for each of its snapshots.

/** Everything that a client writes lies here, beside the seed */
export const folder = 'soak';

export class Model {
  files = new Map<string, string>();
  readonly snapshots = new Map<string, ReadonlyMap<string, string>>();
  #count = 0;

  newName(kind: string): string {
    this.#count++;
    return `${kind}-${this.#count}`;
  }

  write(name: string, text: string): void {
    this.files.set(`${folder}/${name}`, text);
  }

  reset(snapshot: string): void {
    this.files = new Map(snapshot === 'baseline' ? [] : this.snapshots.get(snapshot));
  }

  paths(): string[] {
    return [...this.files.keys()].sort();
  }

  bytes(): number {
    let sum = 0;
    for (const text of this.files.values()) sum += Buffer.byteLength(text);
    return sum;
  }
}

/** Throws, with both sides, when what was found is not what has to be there. */
export function same(what: string, found: unknown, wanted: unknown): void {
  const [left, right] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (left !== right) throw new Error(`${what} is ${left?.slice(0, 300)}, and not ${right?.slice(0, 300)}`);
}
