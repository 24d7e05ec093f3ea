// The patch grammar that begins with `*** Begin Patch`: sections for files, hunks that name their place by lines, not by numbers.
import { PyroError } from '../shared/errors.ts';
import { refusalOfGit, workspaceFolder } from './git-paths.ts';

export interface EnvelopeLine {
  readonly mark: ' ' | '-' | '+';
  readonly text: string;
}

export interface EnvelopeHunk {
  /** Lines that stand before it, one after another */
  readonly anchors: readonly string[];
  readonly lines: readonly EnvelopeLine[];
  /** Its lines are the last ones of the file */
  readonly isAtEnd: boolean;
  /** Where it begins, from 1 */
  readonly patchLine: number;
}

export type EnvelopeSection =
  | { readonly kind: 'add'; readonly path: Buffer; readonly content: string }
  | { readonly kind: 'delete'; readonly path: Buffer }
  | {
      readonly kind: 'update';
      readonly path: Buffer;
      readonly moveTo: Buffer | undefined;
      readonly hunks: readonly EnvelopeHunk[];
    };

export const mostLines = 400_000;
const longestShown = 120;
const beginning = /^[ \t]*(?:\S.*["'])?\*\*\* Begin Patch[ \t]*\r?$/m;
const header = /^\*\*\* (?:(Add|Delete|Update) File: ?(.*)|Begin Patch|End Patch)$/;
/** What models put around a patch, as if a shell read it; the folder is where the paths begin */
const opening =
  /^(?:(?:bash|sh) -l?c ["'])?(?:cd (?:'([^']+)'|"([^"]+)"|([^\s;&|'"]+)) && )?(?:apply_patch ?)?(?:<<-? ?["']?\w+["']?|["']?)$/;
const closing = /^(?:\w+|```|["')\]}]+)$/;

/** True for this grammar; text is latin1. A diff of a file that holds such a patch is a diff. */
export function isEnvelope(text: string): boolean {
  const at = text.search(beginning);
  return at >= 0 && !/^(?:diff --git |--- )/m.test(text.slice(0, at));
}

/** The sections of a patch, whose text is latin1, in their order. Throws `patch_invalid` with the line. */
export function parseEnvelope(text: string): EnvelopeSection[] {
  let count = 1;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count++;
  if (count > mostLines) throw invalid(`the patch has more than ${mostLines} lines`);
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''));
  const first = lines.findIndex((line) => beginning.test(line));
  const last = lines.findLastIndex((line) => line.trim() === '*** End Patch');
  if (last < first) throw invalid('the patch has no line "*** End Patch"', lines.length);
  const folder = folderOf(lines, first);
  lines.slice(last + 1).forEach((line, index) => {
    if (line.trim() !== '' && !closing.test(line.trim())) throw unexpected(line, last + 1 + index);
  });
  const reader = new Reader(lines, first + 1, last, folder);
  const sections = reader.sections();
  if (sections.length === 0) throw invalid('the patch has no section', first + 1);
  return sections;
}

/** Where the paths of the patch begin, by what stands before it. */
function folderOf(lines: readonly string[], first: number): string {
  let folder = '';
  for (const [index, line] of [
    ...lines.slice(0, first),
    (lines[first] ?? '').replace(/\*\*\* Begin.*$/, ''),
  ].entries()) {
    const trimmed = line.trim().replace(/ +/g, ' ');
    if (trimmed === '' || /^```\w*$/.test(trimmed)) continue;
    const match = opening.exec(trimmed);
    if (match === null) throw unexpected(line, index);
    folder = match[1] ?? match[2] ?? match[3] ?? folder;
  }
  return folder;
}

class Reader {
  readonly #lines: readonly string[];
  readonly #end: number;
  readonly #folder: string;
  #at: number;

  constructor(lines: readonly string[], start: number, end: number, folder: string) {
    this.#lines = lines;
    this.#at = start;
    this.#end = end;
    this.#folder = folder;
  }

  sections(): EnvelopeSection[] {
    const sections: EnvelopeSection[] = [];
    for (; this.#at < this.#end; ) {
      const line = this.#line();
      const match = header.exec(line.trim());
      if (match === null && line.trim() !== '') throw unexpected(line, this.#at);
      this.#at++;
      const [, kind, name = ''] = match ?? [];
      if (kind === undefined) continue;
      const path = this.#path(name);
      if (kind === 'Add') sections.push({ kind: 'add', path, content: this.#added() });
      else if (kind === 'Delete') sections.push({ kind: 'delete', path });
      else sections.push(this.#update(path));
    }
    return sections;
  }

  #added(): string {
    const start = this.#at;
    let content = '';
    for (; this.#at < this.#end; this.#at++) {
      const line = this.#line();
      if (line.startsWith('+')) content += `${line.slice(1)}\n`;
      else if (line === '' && this.#lines[this.#at + 1]?.startsWith('+') === true && this.#at > start) content += '\n';
      else break;
    }
    return content;
  }

  #update(path: Buffer): EnvelopeSection {
    const begin = this.#at;
    const move = /^\*\*\* Move to: ?(.+)$/.exec(this.#at < this.#end ? this.#line().trim() : '');
    if (move !== null) this.#at++;
    const moveTo = move === null ? undefined : this.#path(move[1] ?? '');
    const hunks: EnvelopeHunk[] = [];
    while (this.#at < this.#end && !header.test(this.#line().trimEnd())) {
      if (this.#line().trim() === '') this.#at++;
      else hunks.push(this.#hunk());
    }
    if (hunks.length === 0 && moveTo === undefined) throw invalid(`the section of ${path} changes nothing`, begin);
    return { kind: 'update', path, moveTo, hunks };
  }

  #hunk(): EnvelopeHunk {
    const start = this.#at;
    const anchors: string[] = [];
    for (; this.#at < this.#end && this.#line().startsWith('@@'); this.#at++) {
      // Numbers, as a diff has them, are wrong as often as not.
      const anchor = this.#line()
        .slice(2)
        .replace(/^ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@.*$/, '');
      if (anchor.trim() !== '') anchors.push(anchor.replace(/^ /, '').replace(/ @@$/, ''));
    }
    const lines: EnvelopeLine[] = [];
    let isAtEnd = false;
    for (; this.#at < this.#end && !isAtEnd; this.#at++) {
      const line = this.#line();
      if (line.startsWith('@@') || header.test(line.trimEnd())) break;
      const mark = line === '' ? ' ' : line[0];
      if (line.trimEnd() === '*** End of File') isAtEnd = true;
      else if (mark === ' ' || mark === '-' || mark === '+') lines.push({ mark, text: line.slice(1) });
      else if (!line.startsWith('\\ No newline')) {
        throw invalid(`a line of a hunk must begin with a space, - or +, not ${shown(line)}`, this.#at);
      }
    }
    if (lines.length === 0) throw invalid('a hunk has no lines', start);
    return { anchors, lines, isAtEnd, patchLine: start + 1 };
  }

  #line(): string {
    return this.#lines[this.#at] ?? '';
  }

  #path(name: string): Buffer {
    const trimmed = name.trim();
    const whole = trimmed.startsWith('/') || this.#folder === '' ? trimmed : `${this.#folder}/${trimmed}`;
    const relative = whole.startsWith(`${workspaceFolder}/`) ? whole.slice(workspaceFolder.length + 1) : whole;
    if (relative.startsWith('/')) throw invalid(`the patch names an absolute path, ${shown(relative)}`, this.#at - 1);
    const parts = relative.split('/').filter((part) => part !== '' && part !== '.');
    const path = Buffer.from(parts.join('/'), 'latin1');
    const refusal = path.length === 0 ? 'is not a file name' : refusalOfGit(path, false);
    if (refusal !== undefined) throw invalid(`the patch touches ${shown(trimmed)}, which ${refusal}`, this.#at - 1);
    return path;
  }
}

function shown(text: string): string {
  return JSON.stringify(Buffer.from(text.slice(0, longestShown), 'latin1').toString('utf8'));
}

function unexpected(line: string, index: number): PyroError {
  return invalid(`this is not a section of a patch: ${shown(line.trim())}`, index);
}

function invalid(why: string, index?: number): PyroError {
  const line = index === undefined ? null : index + 1;
  return new PyroError('patch_invalid', line === null ? why : `${why} (line ${line} of the patch)`, {
    hint: 'sections are "*** Add File: PATH" with + lines, "*** Delete File: PATH", and "*** Update File: PATH" with hunks of @@, then lines that begin with a space, - or +; paths are below /workspace; nothing was changed',
    details: { line },
  });
}
