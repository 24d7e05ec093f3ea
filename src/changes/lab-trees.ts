// Trees of the lab, from contents that it has by their marks: short ones in the stream that brought those, long ones by an index.
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { PyroError } from '../shared/errors.ts';
import { gatherPieces } from '../shared/gather-pieces.ts';
import { type GitLab, splitRecords } from './git-lab.ts';
import { quotePath } from './git-paths.ts';

/** For each entry `git fast-import` looks at all others of its folder: a longer tree is not made by it */
const longestInStream = 2000;
const linesOfPiece = 1000;
const tabByte = 0x09;
const zeroByte = Buffer.alloc(1);

/** The entries of a tree, held as bytes: there may be very many. */
export class TreeLines {
  count = 0;
  #full: Buffer[] = [];
  #latest: string[] = [];

  /** The content of a mark at the path with this key */
  push(mode: string, mark: number, key: string): void {
    this.count++;
    this.#latest.push(`${mode} :${mark}\t${key}\0`);
    if (this.#latest.length >= linesOfPiece) this.#pack();
  }

  /** Gives them once. */
  *take(): Generator<Buffer> {
    this.#pack();
    const all = this.#full;
    this.#full = [];
    for (const piece of all) yield* splitRecords(piece);
  }

  #pack(): void {
    this.#full.push(Buffer.from(this.#latest.join(''), 'latin1'));
    this.#latest = [];
  }
}

/** A tree as the commit that a ref of the lab stands for. */
export interface LabTree {
  readonly ref: string;
  readonly lines: TreeLines;
}

export function areShort(trees: readonly LabTree[]): boolean {
  return trees.every(({ lines }) => lines.count <= longestInStream);
}

/** What the stream says of trees that are short, behind their contents. */
export function* streamTrees(trees: readonly LabTree[]): Generator<Buffer> {
  for (const { ref, lines } of trees) {
    yield head(ref);
    for (const line of lines.take()) {
      const tab = line.indexOf(tabByte);
      yield Buffer.from(`M ${line.subarray(0, tab).toString('latin1')} ${quotePath(line.subarray(tab + 1))}\n`);
    }
    yield Buffer.from('\n');
  }
}

/** Makes them of the contents whose ids the file of marks tells, in the order of the marks. */
export async function writeTrees(lab: GitLab, trees: readonly LabTree[], marksFile: string): Promise<void> {
  const stream: Buffer[] = [];
  for (const { ref, lines } of trees) {
    const isEmpty = lines.count === 0;
    const root = isEmpty ? '' : `M 040000 ${await writeTree(lab, indexLines(lines, marksFile))} ""\n`;
    stream.push(head(ref), Buffer.from(`${root}\n`));
  }
  await lab.run(['fast-import', '--quiet', '--force'], { input: Readable.from(stream) });
}

/** The id of a tree of these entries, as `git update-index --index-info` takes them; it goes by way of the lab's index. */
export async function writeTree(lab: GitLab, entries: AsyncIterable<Buffer>): Promise<string> {
  await lab.run(['read-tree', '--empty']);
  await lab.run(['update-index', '-z', '--index-info'], { input: Readable.from(gatherPieces(entries)) });
  return (await lab.run(['write-tree'])).stdout.trim();
}

function head(ref: string): Buffer {
  return Buffer.from(`commit ${ref}\ncommitter pyro <pyro@localhost> 0 +0000\ndata 0\n\n`);
}

async function* indexLines(lines: TreeLines, marksFile: string): AsyncGenerator<Buffer> {
  const file = await open(marksFile);
  try {
    const marks = file.readLines({ encoding: 'latin1' })[Symbol.asyncIterator]();
    for (const line of lines.take()) {
      const tab = line.indexOf(tabByte);
      const [mode, mark] = line.subarray(0, tab).toString('latin1').split(' ');
      const id = await idOf(`${mark} `, marks);
      yield Buffer.concat([Buffer.from(`${mode} ${id}`), line.subarray(tab), zeroByte]);
    }
  } finally {
    await file.close();
  }
}

/** Reads on up to a mark. */
async function idOf(beginning: string, marks: AsyncIterator<string>): Promise<string> {
  for (;;) {
    const next = await marks.next();
    if (next.done === true) throw new PyroError('tool_failed', 'git fast-import left content out of its marks');
    if (next.value.startsWith(beginning)) return next.value.slice(beginning.length);
  }
}
