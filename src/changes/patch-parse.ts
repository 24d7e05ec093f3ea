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
  /** Names as they stand in the header, latin1; undefined for /dev/null and for what is not said */
  oldName: string | undefined;
  newName: string | undefined;
  /** Names of a rename or copy, which never have a prefix */
  from: string | undefined;
  to: string | undefined;
  readonly hunks: PatchHunk[];
}

/** Splits at the mail headers of `git format-patch`: each mail applies to what the one before made. */
export function splitMails(patch: Buffer): Buffer[] {
  const text = patch.toString('latin1');
  const starts = [...text.matchAll(/^From [0-9a-f]{40,64} /gm)].map((match) => match.index);
  if (starts.length === 0) return [patch];
  const bounds = [...(starts[0] === 0 ? [] : [0]), ...starts, text.length];
  return bounds
    .slice(0, -1)
    .map((start, index) => patch.subarray(start, bounds[index + 1]))
    .filter((mail) => /^(diff --git |--- )/m.test(mail.toString('latin1')));
}

/** Files and hunks of a patch; `text` is its bytes as latin1 with line ends already plain. */
export function outlinePatch(text: string): PatchFile[] {
  const files: PatchFile[] = [];
  const lines = text.split('\n');
  let file: PatchFile | undefined;
  const begin = (): PatchFile => {
    const begun = { oldName: undefined, newName: undefined, from: undefined, to: undefined, hunks: [] };
    files.push(begun);
    return begun;
  };
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] ?? '';
    if (line.startsWith('diff --git ')) {
      file = begin();
      [file.oldName, file.newName] = splitHeader(line.slice('diff --git '.length)) ?? [undefined, undefined];
    } else if (line.startsWith('--- ') && (lines[index + 1] ?? '').startsWith('+++ ')) {
      if (file === undefined || file.hunks.length > 0) file = begin();
      // Where one side is /dev/null the header above, if there is one, knows the name with its prefix.
      file.oldName = nameOf(line.slice(4)) ?? file.oldName;
      file.newName = nameOf((lines[index + 1] ?? '').slice(4)) ?? file.newName;
      index++;
    } else if (/^(rename|copy) from /.test(line) && file !== undefined)
      file.from = nameOf(line.replace(/^\w+ from /, ''));
    else if (/^(rename|copy) to /.test(line) && file !== undefined) file.to = nameOf(line.replace(/^\w+ to /, ''));
    else if (line.startsWith('@@ -') && file !== undefined) index = readHunk(lines, index, file);
  }
  return files;
}

/** Reads one hunk; gives the index of its last line. */
function readHunk(lines: readonly string[], index: number, file: PatchFile): number {
  const match = /^@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@/.exec(lines[index] ?? '');
  if (match === null) return index;
  let oldLeft = Number(match[2] ?? 1);
  let newLeft = Number(match[3] ?? 1);
  let hasContext = false;
  let last = index;
  while (oldLeft > 0 || newLeft > 0) {
    const line = lines[last + 1];
    const mark = line === '' ? ' ' : line?.[0];
    if (mark === undefined || !' +-\\'.includes(mark)) break;
    if (mark === ' ') hasContext = true;
    if (mark === ' ' || mark === '-') oldLeft--;
    if (mark === ' ' || mark === '+') newLeft--;
    last++;
  }
  const oldCount = Number(match[2] ?? 1);
  file.hunks.push({ oldStart: Number(match[1]), patchLine: index + 1, hasContext, oldCount });
  return last;
}

/** The number of leading parts that Git has to strip. Throws `patch_invalid` when the files do not agree. */
export function stripCount(files: readonly PatchFile[]): 0 | 1 {
  const votes = new Set(files.map(stripOf).filter((vote) => vote !== undefined));
  if (votes.size > 1)
    throw new PyroError(
      'patch_invalid',
      'some names in the patch have a prefix such as a/ or b/ and others have none',
      {
        hint: 'make all names of the patch alike, or apply the parts one after another',
      },
    );
  return votes.has(0) ? 0 : 1;
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

/** True for `git diff -U0`, whose insertions Git would otherwise put at the end of the file. */
export function hasNoContext(files: readonly PatchFile[]): boolean {
  const hunks = files.flatMap((file) => file.hunks);
  return (
    hunks.length > 0 &&
    hunks.every((hunk) => !hunk.hasContext) &&
    hunks.some((hunk) => hunk.oldStart > 1 || (hunk.oldStart === 1 && hunk.oldCount === 0))
  );
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
