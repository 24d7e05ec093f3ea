// The outline of a patch, as far as Git does not tell: mails, how many leading parts its names have, hunks.
import { PyroError } from '../shared/errors.ts';
import { unquotePath } from './git-paths.ts';

export interface PatchHunk {
  /** First line in the old file, from 1 */
  readonly oldStart: number;
  /** Line of the patch, from 1 */
  readonly patchLine: number;
  readonly hasContext: boolean;
  readonly oldCount: number;
}

export interface PatchFile {
  /** Names as they are in the header, latin1; undefined for /dev/null and for what is not said */
  oldName: string | undefined;
  newName: string | undefined;
  /** Names of a rename or copy, which never have a prefix */
  from: string | undefined;
  to: string | undefined;
  readonly hunks: PatchHunk[];
}

/** Splits a patch, as latin1, at the mail headers of `git format-patch`: each mail applies to what the one before made. */
export function splitMails(text: string): string[] {
  const starts = [...text.matchAll(/^From [0-9a-f]{40,64} /gm)].map((match) => match.index);
  if (starts.length === 0) return [text];
  const bounds = [...(starts[0] === 0 ? [] : [0]), ...starts, text.length];
  return bounds
    .slice(0, -1)
    .map((start, index) => text.slice(start, bounds[index + 1]))
    .filter((mail) => /^(diff --git |--- )/m.test(mail));
}

/** Files and hunks of a patch, one after the other; `text` is its bytes as latin1 with line ends already plain. */
export function* outlinePatch(text: string): Generator<PatchFile> {
  const lines = new Lines(text);
  let file: PatchFile | undefined;
  for (let line = lines.take(); line !== undefined; line = lines.take()) {
    if (line.startsWith('diff --git ')) {
      if (file !== undefined) yield file;
      file = begin();
      [file.oldName, file.newName] = splitHeader(line.slice('diff --git '.length)) ?? [undefined, undefined];
    } else if (line.startsWith('--- ') && (lines.next ?? '').startsWith('+++ ')) {
      if (file === undefined || file.hunks.length > 0) {
        if (file !== undefined) yield file;
        file = begin();
      }
      // Where one side is /dev/null the header above, if there is one, knows the name with its prefix.
      file.oldName = nameOf(line.slice(4)) ?? file.oldName;
      file.newName = nameOf((lines.take() ?? '').slice(4)) ?? file.newName;
    } else if (/^(rename|copy) from /.test(line) && file !== undefined)
      file.from = nameOf(line.replace(/^\w+ from /, ''));
    else if (/^(rename|copy) to /.test(line) && file !== undefined) file.to = nameOf(line.replace(/^\w+ to /, ''));
    else if (line.startsWith('@@ -') && file !== undefined) readHunk(line, lines, file);
  }
  if (file !== undefined) yield file;
}

function begin(): PatchFile {
  return { oldName: undefined, newName: undefined, from: undefined, to: undefined, hunks: [] };
}

/** The lines of a text, with a look at the next one; a list of all of them would take more memory than the text. */
class Lines {
  /** The one that {@link take} would give */
  next: string | undefined;
  /** How many have been taken */
  count = 0;
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.next = this.#read();
  }

  take(): string | undefined {
    const taken = this.next;
    if (taken === undefined) return undefined;
    this.count++;
    this.next = this.#read();
    return taken;
  }

  #read(): string | undefined {
    if (this.#at > this.#text.length) return undefined;
    const feed = this.#text.indexOf('\n', this.#at);
    const end = feed < 0 ? this.#text.length : feed;
    const line = this.#text.slice(this.#at, end);
    this.#at = end + 1;
    return line;
  }
}

/** Takes the lines of one hunk, which begins with this one. */
function readHunk(line: string, lines: Lines, file: PatchFile): void {
  const match = /^@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@/.exec(line);
  if (match === null) return;
  let oldLeft = Number(match[2] ?? 1);
  let newLeft = Number(match[3] ?? 1);
  const patchLine = lines.count;
  let hasContext = false;
  while (oldLeft > 0 || newLeft > 0) {
    const mark = lines.next === '' ? ' ' : lines.next?.[0];
    if (mark === undefined || !' +-\\'.includes(mark)) break;
    if (mark === ' ') hasContext = true;
    if (mark === ' ' || mark === '-') oldLeft--;
    if (mark === ' ' || mark === '+') newLeft--;
    lines.take();
  }
  const oldCount = Number(match[2] ?? 1);
  file.hunks.push({ oldStart: Number(match[1]), patchLine, hasContext, oldCount });
}

/** What the files of a patch say together, taken in one by one. */
export class PatchOutline {
  /** Where renamed and copied paths come from, by their keys */
  readonly origins = new Map<string, string>();
  hasMoves = false;
  readonly #votes = new Set<0 | 1>();
  #hunks = 0;
  #hasContext = false;
  #isPlaced = false;

  add(file: PatchFile): void {
    const vote = stripOf(file);
    if (vote !== undefined) this.#votes.add(vote);
    if (file.from !== undefined && file.to !== undefined) this.origins.set(ownText(file.to), ownText(file.from));
    this.hasMoves ||= file.from !== undefined;
    for (const { hasContext, oldStart, oldCount } of file.hunks) {
      this.#hunks++;
      this.#hasContext ||= hasContext;
      this.#isPlaced ||= oldStart > 1 || (oldStart === 1 && oldCount === 0);
    }
  }

  /** The number of leading parts that Git has to strip. Throws `patch_invalid` when the files do not agree. */
  get strip(): 0 | 1 {
    if (this.#votes.size > 1)
      throw new PyroError(
        'patch_invalid',
        'some names in the patch have a prefix such as a/ or b/ and others have none',
        {
          hint: 'use one form for all names in the patch, or apply its parts separately',
        },
      );
    return this.#votes.has(0) ? 0 : 1;
  }

  /** True for `git diff -U0`, whose insertions Git would otherwise put at the end of the file. */
  get hasNoContext(): boolean {
    return this.#hunks > 0 && !this.#hasContext && this.#isPlaced;
  }
}

/** The text alone: a part of the patch's text would keep all of that in memory. */
function ownText(name: string): string {
  return Buffer.from(name, 'latin1').toString('latin1');
}

const prefix = /^[abciow12]\//;

function stripOf({ oldName, newName, from, to }: PatchFile): 0 | 1 | undefined {
  if (from !== undefined && to !== undefined && oldName !== undefined && newName !== undefined)
    return oldName === from && newName === to ? 0 : 1;
  if (oldName === undefined || newName === undefined) {
    const only = oldName ?? newName;
    return only === undefined ? undefined : prefix.test(only) ? 1 : 0;
  }
  if (oldName === newName) return 0;
  const rest = behindFirst(oldName);
  if (rest !== undefined && rest === behindFirst(newName)) return 1;
  return prefix.test(oldName) && prefix.test(newName) && oldName[0] !== newName[0] ? 1 : 0;
}

function behindFirst(name: string): string | undefined {
  const slash = name.indexOf('/');
  return slash < 0 ? undefined : name.slice(slash + 1);
}

function nameOf(text: string): string | undefined {
  const name = text.startsWith('"') ? (unquotePath(text)?.name ?? text) : (text.split('\t')[0] ?? text);
  return name === '/dev/null' ? undefined : name;
}

/** The two names of a `diff --git` line. Unquoted ones may hold spaces: then both must be the same but for the first part. */
function splitHeader(header: string): [string, string] | undefined {
  const first = unquotePath(header);
  if (first !== undefined) {
    const second = first.rest.slice(1);
    return [first.name, unquotePath(second)?.name ?? second];
  }
  const quote = header.indexOf(' "');
  if (quote > 0 && header.endsWith('"')) {
    const second = unquotePath(header.slice(quote + 1));
    return second === undefined ? undefined : [header.slice(0, quote), second.name];
  }
  for (let space = header.indexOf(' '); space > 0; space = header.indexOf(' ', space + 1)) {
    const [left, right] = [header.slice(0, space), header.slice(space + 1)];
    if (left === right || (behindFirst(left) ?? '') === (behindFirst(right) ?? ' ')) return [left, right];
  }
  const parts = header.split(' ');
  return parts.length === 2 ? [parts[0] ?? '', parts[1] ?? ''] : undefined;
}
