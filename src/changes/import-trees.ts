// A guest's changed paths into the lab, as one stream for `git fast-import`: two trees, before and after.
import { Readable } from 'node:stream';
import type { Change, ChangeSide } from '../agent/file-types.ts';
import { PyroError } from '../shared/errors.ts';
import { gatherPieces } from '../shared/gather-pieces.ts';
import { formatBytes, gibibyte, mebibyte } from '../shared/units.ts';
import { failureOf } from '../system/command-errors.ts';
import type { GitLab } from './git-lab.ts';
import { pathKey, refusalOfGit } from './git-paths.ts';
import { areShort, type LabTree, streamTrees, TreeLines, writeTrees } from './lab-trees.ts';
import { mostPathBytes, mostPaths, tooManyPaths } from './listed-changes.ts';
import { TextProbe } from './text-probe.ts';

export interface ImportOptions {
  /** `current` takes how things stand now, as the tree before */
  readonly sides: 'both' | 'current';
  /** Limit for all contents together, `bytes` */
  readonly maxContentBytes: number;
  /** The failure of more than that, when it is not `diff_too_large`; `why` names the largest */
  readonly tooMuch?: (why: string) => PyroError;
  readonly isWanted: (path: Buffer) => boolean;
}

export interface ImportedPath {
  readonly before: ChangeSide | undefined;
  readonly after: ChangeSide | undefined;
  /** True when all of its contents are UTF-8 without zero bytes, and of a size that a person could read */
  readonly isText: boolean;
  /** True when Git sees by itself that it is binary */
  readonly isPlainlyBinary: boolean;
}

export interface OmittedPath {
  readonly path: string;
  readonly reason: string;
}

export interface ImportedTrees {
  /** By the keys of the paths */
  readonly paths: ReadonlyMap<string, ImportedPath>;
  /** Paths that Git cannot hold */
  readonly omitted: readonly OmittedPath[];
  /** Keys of paths that stand in none of the trees, since their content was withheld */
  readonly withheld: ReadonlySet<string>;
}

export const beforeRef = 'refs/lab/before';
export const afterRef = 'refs/lab/after';
export const largestText: number = 16 * mebibyte;
export const defaultMaxContentBytes: number = 64 * gibibyte;

/** Streams the changes into the lab's two refs. Throws `diff_too_large`, or what reading the guest throws. */
export async function importTrees(
  lab: GitLab,
  changes: AsyncIterable<Change>,
  options: ImportOptions,
): Promise<ImportedTrees> {
  const importer = new Importer(options);
  const input = Readable.from(gatherPieces(importer.stream(changes)));
  const marks = lab.file('marks');
  const manners = ['--quiet', '--done', '--force', '--depth=0', '--big-file-threshold=16m'];
  const args = ['fast-import', ...manners, `--export-marks=${marks}`];
  try {
    const result = await lab.tryRun(args, { input });
    if (result.exitCode !== 0) throw failureOf('git', 'git fast-import', result);
  } finally {
    input.destroy();
  }
  if (!areShort(importer.trees)) await writeTrees(lab, importer.trees, marks);
  return importer;
}

class Importer implements ImportedTrees {
  readonly paths = new Map<string, ImportedPath>();
  readonly omitted: OmittedPath[] = [];
  readonly withheld = new Set<string>();
  #pathBytes = 0;
  readonly #options: ImportOptions;
  readonly #sides = { before: new TreeLines(), after: new TreeLines() };
  readonly trees: readonly LabTree[] = [
    { ref: beforeRef, lines: this.#sides.before },
    { ref: afterRef, lines: this.#sides.after },
  ];
  readonly #probe = new TextProbe();
  readonly #largest: { path: string; size: number }[] = [];
  #mark = 0;
  #bytes = 0;

  constructor(options: ImportOptions) {
    this.#options = options;
  }

  async *stream(changes: AsyncIterable<Change>): AsyncGenerator<Buffer> {
    for await (const change of changes) {
      const { path } = change;
      if (!this.#options.isWanted(path)) continue;
      this.#pathBytes += path.length;
      if (this.paths.size + this.omitted.length >= mostPaths || this.#pathBytes > mostPathBytes) throw tooManyPaths();
      const before = this.#options.sides === 'current' ? change.after : change.before;
      const after = this.#options.sides === 'current' ? undefined : change.after;
      // What is not there takes no room: a patch may ask for very many new files.
      if (this.#options.sides === 'current' && before === undefined) continue;
      if (!isLeaf(before) && !isLeaf(after)) {
        // A folder has no place in a Git tree; the caller may still want to know that it is one.
        this.paths.set(pathKey(path), { before, after, isText: true, isPlainlyBinary: false });
        continue;
      }
      const refusal = refusalOfGit(path, before?.type === 'symlink' || after?.type === 'symlink');
      if (refusal !== undefined) {
        this.omitted.push({ path: path.toString('utf8'), reason: refusal });
        continue;
      }
      if (before?.withheld === true || after?.withheld === true) {
        this.withheld.add(pathKey(path));
        this.paths.set(pathKey(path), { before, after, isText: false, isPlainlyBinary: false });
        continue;
      }
      this.#probe.reset();
      if (this.#options.sides === 'current') yield* this.#take('before', path, before, change.contentAfter);
      else {
        yield* this.#take('before', path, before, change.contentBefore);
        yield* this.#take('after', path, after, change.contentAfter);
      }
      const { isText, isPlainlyBinary } = this.#probe;
      this.paths.set(pathKey(path), { before, after, isText, isPlainlyBinary });
    }
    if (areShort(this.trees)) yield* streamTrees(this.trees);
    yield Buffer.from('done\n');
  }

  async *#take(
    side: 'before' | 'after',
    path: Buffer,
    state: ChangeSide | undefined,
    content: () => AsyncIterable<Buffer>,
  ): AsyncGenerator<Buffer> {
    if (state === undefined || (state.type !== 'file' && state.type !== 'symlink')) return;
    const mark = ++this.#mark;
    const probe = this.#probe;
    probe.begin();
    const exact = exactly(content(), state.size, path);
    if (state.size > largestText) {
      probe.isText = false;
      yield* blob(mark, state.size, this.#count(state.size, path, exact));
    } else yield* blob(mark, state.size, this.#count(state.size, path, probe.watch(exact)));
    probe.end();
    this.#sides[side].push(gitMode(state), mark, pathKey(path));
  }

  async *#count(size: number, path: Buffer, content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    this.#bytes += size;
    this.#largest.push({ path: path.toString('utf8'), size });
    this.#largest.sort((a, b) => b.size - a.size).splice(3);
    if (this.#bytes > this.#options.maxContentBytes) {
      const names = this.#largest.map((file) => `${file.path} (${formatBytes(file.size)})`).join(', ');
      const why = `the changed files hold more than ${formatBytes(this.#options.maxContentBytes)}; the largest so far: ${names}`;
      throw this.#options.tooMuch?.(why) ?? tooLarge(why);
    }
    yield* content;
  }
}

/** Mode as Git keeps it. */
export function gitMode(side: ChangeSide): '100644' | '100755' | '120000' {
  if (side.type === 'symlink') return '120000';
  return (side.mode & 0o100) === 0 ? '100644' : '100755';
}

/** True for what is there and is not a folder. */
export function isLeaf(side: ChangeSide | undefined): boolean {
  return side !== undefined && side.type !== 'directory';
}

async function* blob(mark: number, size: number, content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield Buffer.from(`blob\nmark :${mark}\ndata ${size}\n`);
  yield* content;
  yield Buffer.from('\n');
}

/** The stream's own promise about lengths depends on the guest keeping its: it is checked. */
async function* exactly(content: AsyncIterable<Buffer>, size: number, path: Buffer): AsyncGenerator<Buffer> {
  let seen = 0;
  for await (const chunk of content) {
    seen += chunk.length;
    if (seen > size) break;
    yield chunk;
  }
  if (seen !== size)
    throw new PyroError(
      'guest_protocol',
      `the guest sent a length of ${path.toString('utf8')} other than it announced`,
    );
}

function tooLarge(why: string): PyroError {
  return new PyroError('diff_too_large', why, {
    hint: 'give a path to compare less, ask for the statistics only, or export the files instead of a diff',
  });
}
