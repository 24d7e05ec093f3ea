// Why a patch does not fit: Git's own words, the hunk, and the lines that stand there.
import { readFile } from 'node:fs/promises';
import { PyroError } from '../shared/errors.ts';
import type { GitLab } from './git-lab.ts';
import { firstLines, type Strip } from './patch-names.ts';

const shownAround = 3;
const shownChars = 160;

export async function explainFailure(lab: GitLab, patchFile: string, stderr: string, strip: Strip): Promise<PyroError> {
  const match = /^error: patch failed: (.*):(\d+)$/m.exec(stderr);
  const path = match?.[1];
  const line = Number(match?.[2] ?? 0);
  if (path === undefined) {
    const reason = firstLines(stderr.replaceAll('error: ', '').trim());
    return new PyroError('patch_failed', `the patch does not fit: ${reason}`, {
      hint: 'nothing was changed; compare with the files as they are now',
      details: { path: /^(.*?): /.exec(reason)?.[1] ?? null },
    });
  }
  const hunk = await hunkNumber(patchFile, path, line, strip);
  const lines = await linesAt(lab, path, line);
  const where = hunk === undefined ? `line ${line}` : `hunk ${hunk}, line ${line}`;
  return new PyroError('patch_failed', `${path}: ${where} does not fit; the file has there:\n${lines}`, {
    hint: 'nothing was changed; read the file and make the patch anew',
    details: { path, line, hunk: hunk ?? null },
  });
}

/** Number of the hunk in its file, from 1. */
async function hunkNumber(patchFile: string, path: string, line: number, strip: Strip): Promise<number | undefined> {
  let isInFile = false;
  let number = 0;
  for (const text of (await readFile(patchFile, 'utf8')).split('\n')) {
    const name = /^(?:---|\+\+\+) (?:"?)([^\t"]*)/.exec(text)?.[1];
    if (name !== undefined && text.startsWith('--- ')) number = 0;
    if (name !== undefined) isInFile ||= name.split('/').slice(strip).join('/') === path;
    if (text.startsWith('diff --git ')) {
      isInFile = false;
      number = 0;
    }
    const start = /^@@ -(\d+)/.exec(text)?.[1];
    if (start === undefined) continue;
    number++;
    if (isInFile && Number(start) === line) return number;
  }
  return undefined;
}

async function linesAt(lab: GitLab, path: string, line: number): Promise<string> {
  const result = await lab.attempt(['cat-file', 'blob', `:${path}`]);
  if (result.exitCode !== 0) return '(there is no such file)';
  const lines = result.stdout.split('\n');
  const from = Math.max(0, line - 1 - shownAround);
  return lines
    .slice(from, line + shownAround)
    .map((text, index) => `${from + index + 1}: ${text.slice(0, shownChars)}`)
    .join('\n');
}
