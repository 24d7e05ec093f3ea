// A guest's changed paths into the lab, as one stream for `git fast-import`: two trees, before and after.
import { Readable } from 'node:stream';
import type { Change, ChangeSide } from '../agent/file-types.ts';
import { PyroError } from '../shared/errors.ts';
import { formatBytes, gibibyte, mebibyte } from '../shared/units.ts';
import { failureOf } from '../system/command.ts';
import type { GitLab } from './git-lab.ts';
import { pathKey, quotePath, refusalOfGit } from './git-paths.ts';
import { mostPathBytes, mostPaths, tooManyPaths } from './listed-changes.ts';
import { TextProbe } from './text-probe.ts';

export interface ImportOptions {
  /** `current` takes how things stand now, as the tree before */
  readonly sides: 'both' | 'current';
  /** Limit for all contents together, `bytes` */
  readonly maxContentBytes: number;
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
const linesOfPiece = 1000;
export const defaultMaxContentBytes: number = 64 * gibibyte;

/** Streams the changes into the lab's two refs. Throws `diff_too_large`, or what reading the guest throws. */
export async function importTrees(
  lab: GitLab,
  changes: AsyncIterable<Change>,
  options: ImportOptions,
): Promise<ImportedTrees> {
  const importer = new Importer(options);
  let failure: unknown;
  const input = Readable.from(importer.stream(changes)).on('error', (error) => {
    failure = error;
  });
  const args = ['fast-import', '--quiet', '--done', '--force', '--depth=0', '--big-file-threshold=16m'];
  try {
    const result = await lab.tryRun(args, { input });
    if (failure !== undefined) throw failure;
    if (result.exitCode !== 0) throw failureOf('git', 'git fast-import', result);
  } finally {
    input.destroy();
  }
  return importer;
}

class Importer implements ImportedTrees {
  readonly paths = new Map<string, ImportedPath>();
  readonly omitted: OmittedPath[] = [];
  readonly withheld = new Set<string>();
  #pathBytes = 0;
  readonly #options: ImportOptions;
  readonly #lines = { before: new Lines(), after: new Lines() };
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
    yield* commit(beforeRef, this.#lines.before);
    yield* commit(afterRef, this.#lines.after);
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
    this.#lines[side].push(`M ${gitMode(state)} :${mark} ${quotePath(path)}\n`);
  }

  async *#count(size: number, path: Buffer, content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    this.#bytes += size;
    this.#largest.push({ path: path.toString('utf8'), size });
    this.#largest.sort((a, b) => b.size - a.size).splice(3);
    if (this.#bytes > this.#options.maxContentBytes) {
      const names = this.#largest.map((file) => `${file.path} (${formatBytes(file.size)})`).join(', ');
      throw tooLarge(
        `the changed files hold more than ${formatBytes(this.#options.maxContentBytes)}; the largest so far: ${names}`,
      );
    }
    yield* content;
  }
}

/** Mode as Git keeps it. */
export function gitMode(side: ChangeSide): '100644' | '100755' | '120000' {
  if (side.type === 'symlink') return '120000';
  return (side.mode & 0o100) === 0 ? '100644' : '100755';
}

/** True for what is there and is no folder. */
export function isLeaf(side: ChangeSide | undefined): boolean {
  return side !== undefined && side.type !== 'directory';
}

async function* blob(mark: number, size: number, content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield Buffer.from(`blob\nmark :${mark}\ndata ${size}\n`);
  yield* content;
  yield Buffer.from('\n');
}

function* commit(ref: string, lines: Lines): Generator<Buffer> {
  yield Buffer.from(`commit ${ref}\ncommitter pyro <pyro@localhost> 0 +0000\ndata 0\n\n`);
  yield* lines.take();
  yield Buffer.from('\n');
}

/** Many short lines, held as the bytes that they will be. */
class Lines {
  #full: Buffer[] = [];
  #latest: string[] = [];

  push(line: string): void {
    this.#latest.push(line);
    if (this.#latest.length >= linesOfPiece) this.#pack();
  }

  *take(): Generator<Buffer> {
    this.#pack();
    yield* this.#full;
    this.#full = [];
  }

  #pack(): void {
    this.#full.push(Buffer.from(this.#latest.join('')));
    this.#latest = [];
  }
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
      `the guest sent another length of ${path.toString('utf8')} than it announced`,
    );
}

function tooLarge(why: string): PyroError {
  return new PyroError('diff_too_large', why, {
    hint: 'give a path to compare less, ask for the statistics only, or export the files in place of a diff',
  });
}
