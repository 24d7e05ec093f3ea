// What a guest tells of its changes, streamed into the laboratory as two trees: before and after.
import { TextDecoder } from 'node:util';
import type { Change, ChangeSide } from '../agent/file-types.ts';
import { PyroError } from '../shared/errors.ts';
import { formatBytes, gibibyte } from '../shared/units.ts';
import type { GitLab } from './git-lab.ts';
import { attributesPattern, quotePath, refusalOfGit } from './git-paths.ts';

const mostPaths = 500_000;
const mostBytes = 16 * gibibyte;

/** A changed path as the guest has told it. */
export interface ImportedChange {
  readonly path: Buffer;
  readonly before: ChangeSide | undefined;
  readonly after: ChangeSide | undefined;
  /** Why it is in no tree: Git cannot hold it */
  readonly refusal: string | undefined;
}

export interface ImportedTrees {
  readonly changes: readonly ImportedChange[];
  /** True when a file changed while it was read */
  readonly isTorn: boolean;
}

export const beforeRef = 'refs/heads/before';
export const afterRef = 'refs/heads/after';

/** Makes the commits {@link beforeRef} and {@link afterRef}. Throws `diff_too_large`. */
export async function importChanges(lab: GitLab, source: AsyncIterable<Change>): Promise<ImportedTrees> {
  const importer = new Importer();
  const failures: unknown[] = [];
  const result = await lab.attempt(['fast-import', '--quiet', '--force', '--date-format=raw'], {
    input: noting(importer.stream(source), failures),
  });
  if (failures.length > 0) throw failures[0];
  if (result.exitCode !== 0) {
    throw new PyroError('tool_failed', `git fast-import failed: ${result.stderr.trim().slice(-500)}`);
  }
  await lab.markBinary(importer.binaryPatterns);
  return { changes: importer.changes, isTorn: importer.isTorn };
}

/** A source that breaks looks to its reader like one that ends. */
async function* noting(source: AsyncIterable<Buffer>, failures: unknown[]): AsyncGenerator<Buffer> {
  try {
    yield* source;
  } catch (error) {
    failures.push(error);
    throw error;
  }
}

class Importer {
  readonly changes: ImportedChange[] = [];
  readonly binaryPatterns: string[] = [];
  isTorn = false;
  readonly #before: string[] = [];
  readonly #after: string[] = [];
  #marks = 0;
  #bytes = 0;

  async *stream(source: AsyncIterable<Change>): AsyncGenerator<Buffer> {
    for await (const change of source) {
      const { path, before, after } = change;
      const refusal = refusalFor(change);
      this.changes.push({ path, before, after, refusal });
      if (this.changes.length > mostPaths) throw tooLarge(`more than ${mostPaths} paths changed`);
      if (refusal !== undefined) continue;
      const text = { isText: true };
      if (before !== undefined && isHeld(before)) {
        yield* this.#blob(before, change.contentBefore(), this.#before, path, text);
      }
      if (after !== undefined && isHeld(after)) {
        yield* this.#blob(after, change.contentAfter(), this.#after, path, text);
      }
      if (!text.isText) this.binaryPatterns.push(attributesPattern(path));
      if (change.isTorn !== undefined && (await change.isTorn())) this.isTorn = true;
    }
    yield Buffer.from(commit(beforeRef, this.#before) + commit(afterRef, this.#after), 'latin1');
  }

  async *#blob(
    side: ChangeSide,
    content: AsyncIterable<Buffer>,
    list: string[],
    path: Buffer,
    text: { isText: boolean },
  ): AsyncGenerator<Buffer> {
    this.#bytes += side.size;
    if (this.#bytes > mostBytes) throw tooLarge(`more than ${formatBytes(mostBytes)} changed`);
    const mark = ++this.#marks;
    list.push(`M ${gitMode(side)} :${mark} ${quotePath(path)}\n`);
    yield Buffer.from(`blob\nmark :${mark}\ndata ${side.size}\n`);
    const decoder = new TextDecoder('utf-8', { fatal: true });
    for await (const chunk of content) {
      text.isText &&= isDecodable(decoder, chunk, true);
      yield chunk;
    }
    text.isText &&= isDecodable(decoder, Buffer.alloc(0), false);
    yield Buffer.from('\n');
  }
}

function isDecodable(decoder: TextDecoder, chunk: Buffer, stream: boolean): boolean {
  try {
    decoder.decode(chunk, { stream });
    return true;
  } catch {
    // Not UTF-8: JSON could not carry its lines.
    return false;
  }
}

function commit(ref: string, lines: readonly string[]): string {
  return `commit ${ref}\ncommitter pyro <pyro> 0 +0000\ndata 0\n${lines.join('')}\n`;
}

function refusalFor({ path, before, after }: Change): string | undefined {
  const refusal = refusalOfGit(path, before?.type === 'symlink' || after?.type === 'symlink');
  if (refusal !== undefined) return refusal;
  return before?.type === 'other' || after?.type === 'other' ? 'is neither file, folder nor link' : undefined;
}

/** Git knows files and links; folders are there by what is in them. */
export function isHeld({ type }: ChangeSide): boolean {
  return type === 'file' || type === 'symlink';
}

export function gitMode({ type, mode }: ChangeSide): string {
  if (type === 'symlink') return '120000';
  return (mode & 0o100) === 0 ? '100644' : '100755';
}

function tooLarge(why: string): PyroError {
  return new PyroError('diff_too_large', why, {
    hint: 'look at a part of it with path, or bring the files out with workspace_export',
  });
}
