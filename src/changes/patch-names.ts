// The names in a patch: which files it touches, as Git reads it and by its headers.
import { PyroError } from '../shared/errors.ts';
import type { GitLab } from './git-lab.ts';
import { refusalOfGit, unquotePath } from './git-paths.ts';

/** How many leading parts of a name Git takes away: `a/` and `b/`, or nothing for `--no-prefix` */
export const strips = [1, 0] as const;
export type Strip = (typeof strips)[number];

/** Paths that the patch would touch, by each way of reading its names. Throws `patch_invalid`. */
export async function touchedPaths(lab: GitLab, patchFile: string, patch: Buffer): Promise<Map<Strip, Buffer[]>> {
  const found = new Map<Strip, Buffer[]>();
  let reason = '';
  for (const strip of strips) {
    const result = await lab.attempt(['apply', '--numstat', '-z', `-p${strip}`, patchFile]);
    if (result.exitCode === 0) {
      const bytes = await lab.bytes(['apply', '--numstat', '-z', `-p${strip}`, patchFile]);
      const paths = numstatPaths(bytes);
      // One letter in front of every name is a prefix, not a folder.
      const isPrefixed = paths.every((path) => /^[a-z]\//.test(path.toString('latin1')));
      if (strip === 0 && isPrefixed && found.size > 0) continue;
      found.set(strip, unique([...paths, ...headerPaths(patch)]));
    } else {
      reason ||= result.stderr.trim();
    }
  }
  if (found.size === 0) {
    throw new PyroError('patch_invalid', `Git does not read this as a patch: ${firstLines(reason)}`, {
      hint: 'give what `git diff` or `diff -u` prints, with its header lines and whole hunks',
    });
  }
  for (const [strip, paths] of found) {
    const wrong = paths.map((path) => faultOf(path)).find((fault) => fault !== undefined);
    if (wrong === undefined) continue;
    // Read the other way the same names may be fine.
    found.delete(strip);
    if (found.size === 0) throw wrong;
  }
  return found;
}

function numstatPaths(bytes: Buffer): Buffer[] {
  return bytes
    .toString('latin1')
    .split('\0')
    .flatMap((record) => {
      const match = /^(?:\d+|-)\t(?:\d+|-)\t(.+)$/s.exec(record);
      return match?.[1] === undefined ? [] : [Buffer.from(match[1], 'latin1')];
    });
}

/** Where renamed and copied files come from, which Git's list of results leaves out; these names have no prefix. */
function headerPaths(patch: Buffer): Buffer[] {
  const paths: Buffer[] = [];
  for (const line of patch.toString('latin1').split('\n')) {
    const match = /^(?:rename|copy) from (.*?)\r?$/.exec(line);
    const text = match?.[1];
    if (text === undefined) continue;
    paths.push(Buffer.from(unquotePath(text)?.name ?? text, 'latin1'));
  }
  return paths;
}

function faultOf(path: Buffer): PyroError | undefined {
  const why = refusalOfGit(path, false);
  if (why === undefined) return undefined;
  return new PyroError(
    'patch_invalid',
    `the patch names ${JSON.stringify(path.toString('utf8').slice(0, 200))}, which ${why}`,
    {
      hint: 'paths of a patch are relative to /workspace',
    },
  );
}

function unique(paths: readonly Buffer[]): Buffer[] {
  return [...new Map(paths.map((path) => [path.toString('latin1'), path])).values()];
}

export function firstLines(text: string): string {
  return text.split('\n').slice(0, 3).join('; ').slice(0, 500);
}
