// Paths in Git's eyes: what it refuses to hold, and how it writes names that are not plain.

/** The folder that diffs and patches are relative to. */
export const workspaceFolder = '/workspace';

/** Lossless text of a path, to look it up by. */
export function pathKey(path: Buffer): string {
  return path.toString('latin1');
}

/** Text of the path with this key; bytes that are not UTF-8 are replaced. */
export function shownPath(key: string): string {
  return /^[\0-\x7f]*$/.test(key) ? key : Buffer.from(key, 'latin1').toString('utf8');
}

const ignoredByHfs = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;
const gitFolder = /^(\.git|git~1)[. ]*(:|$)/;
const gitmodulesName = /^(\.gitmodules|gi[^~]{0,6}~[1-9])/;

/** Why Git, here or on another system, would not take this path; undefined when it would. Rather refuses too much. */
export function refusalOfGit(path: Buffer, isSymlink: boolean): string | undefined {
  if (path.includes(0)) return 'has a zero byte';
  for (const part of path.toString('utf8').split('/')) {
    if (part === '') return path[0] === 0x2f ? 'is absolute' : 'has an empty part';
    if (part === '.' || part === '..') return `contains the part "${part}"`;
    // On Windows a backslash begins a new part.
    for (const piece of part.split('\\')) {
      const name = piece.replace(ignoredByHfs, '').toLowerCase();
      if (gitFolder.test(name)) return "is, or is in, Git's own folder";
      if (isSymlink && gitmodulesName.test(name)) return 'is a link in place of .gitmodules';
    }
  }
  return undefined;
}

const shortEscapes: Readonly<Record<number, string>> = { 10: '\\n', 34: '\\"', 92: '\\\\' };

/** The path in double quotes, with C escapes, as fast-import and the attributes file read it. */
export function quotePath(path: Buffer): string {
  let text = '';
  for (const byte of path) {
    const short = shortEscapes[byte];
    if (short !== undefined) text += short;
    else if (byte < 0x20 || byte >= 0x7f) text += `\\${byte.toString(8).padStart(3, '0')}`;
    else text += String.fromCharCode(byte);
  }
  return `"${text}"`;
}

const namedEscapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** Reads a name in double quotes at the start of `text` (latin1); gives the name and what stands behind it. */
export function unquotePath(text: string): { name: string; rest: string } | undefined {
  const match = /^"((?:[^"\\]|\\.)*)"/s.exec(text);
  if (match === null) return undefined;
  const name = (match[1] ?? '').replace(/\\([0-3][0-7]{2}|.)/gs, (_, code: string) =>
    /^[0-3][0-7]{2}$/.test(code) ? String.fromCharCode(Number.parseInt(code, 8)) : (namedEscapes[code] ?? code),
  );
  return { name, rest: text.slice(match[0].length) };
}

// Git ignores longer lines of an attributes file.
const longestAttributesPattern = 2000;

/** Pattern of an attributes file for one path; for a very long one the top folder that it lies in. */
export function attributesPattern(path: Buffer): string {
  const pattern = quotePath(escapeGlob(path));
  if (pattern.length <= longestAttributesPattern) return pattern;
  const top = path.subarray(0, path.indexOf(0x2f));
  return quotePath(Buffer.concat([escapeGlob(top), Buffer.from('/**')]));
}

function escapeGlob(path: Buffer): Buffer {
  return Buffer.from(`/${path.toString('latin1').replace(/[*?[\\]/g, '\\$&')}`, 'latin1');
}
