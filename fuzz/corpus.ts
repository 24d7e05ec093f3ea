// Inputs that reached something new: kept for this run and the next, in bounded number and size.
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Random } from './mutate.ts';

const mostInputs = 1000;
const mostBytes = 8 * 1024 * 1024;
/** The latest ones are tried as often as all others together */
const latest = 32;

export class Corpus {
  readonly #folder: string;
  readonly #inputs: Buffer[] = [];
  readonly #names = new Set<string>();
  #bytes = 0;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(folder: string): Promise<Corpus> {
    const corpus = new Corpus(folder);
    for (const input of await filesIn(folder)) corpus.#note(input);
    return corpus;
  }

  get inputs(): readonly Buffer[] {
    return this.#inputs;
  }

  /** Keeps the input, also for the next run. */
  async add(input: Buffer): Promise<void> {
    const name = this.#note(input);
    if (name === undefined) return;
    await mkdir(this.#folder, { recursive: true });
    await writeFile(join(this.#folder, name), input);
    while (this.#inputs.length > mostInputs || this.#bytes > mostBytes) await this.#drop();
  }

  pick(random: Random): Buffer | undefined {
    const from = random(2) === 0 ? Math.max(0, this.#inputs.length - latest) : 0;
    return this.#inputs[from + random(this.#inputs.length - from)];
  }

  #note(input: Buffer): string | undefined {
    const name = nameOf(input);
    if (this.#names.has(name)) return undefined;
    this.#names.add(name);
    this.#inputs.push(input);
    this.#bytes += input.length;
    return name;
  }

  /** The largest of the older half goes. */
  async #drop(): Promise<void> {
    const older = this.#inputs.slice(0, Math.ceil(this.#inputs.length / 2));
    const largest = older.reduce((a, b) => (b.length > a.length ? b : a), Buffer.alloc(0));
    this.#inputs.splice(this.#inputs.indexOf(largest), 1);
    this.#bytes -= largest.length;
    this.#names.delete(nameOf(largest));
    await rm(join(this.#folder, nameOf(largest)), { force: true });
  }
}

function nameOf(input: Buffer): string {
  return `${createHash('sha256').update(input).digest('hex').slice(0, 16)}.bin`;
}

/** The files of a folder, by name; none where there is no such folder. */
export async function filesIn(folder: string): Promise<Buffer[]> {
  const names = await readdir(folder).catch((): string[] => []);
  return await Promise.all(names.sort().map((name) => readFile(join(folder, name))));
}
