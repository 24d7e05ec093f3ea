// Why a patch did not fit, with the lines of the guest's file at that place.
import { open, readFile } from 'node:fs/promises';
import { PyroError } from '../shared/errors.ts';
import type { GitLab } from './git-lab.ts';
import { shownPath } from './git-paths.ts';
import { outlinePatch } from './patch-parse.ts';
import type { PatchPiece } from './patch-pieces.ts';
import { linesAt } from './shown-lines.ts';

const readBytes = 16 * 1024 * 1024;

/** Makes the error for a piece that `git apply` refused with this text. */
export async function patchFailure(lab: GitLab, piece: PatchPiece, stderr: string): Promise<PyroError> {
  const reasons = [...new Set(stderr.split('\n').map((line) => line.replace(/^(error|fatal): /, '')))];
  const reason = reasons
    .filter((line) => line !== '' && !line.startsWith('warning:'))
    .slice(0, 10)
    .join('; ')
    .slice(0, 1000);
  if (/^error: invalid path /m.test(stderr))
    return new PyroError('patch_invalid', `the patch names a path that Git does not track: ${reason}`, {
      hint: 'take that file out of the patch; nothing was changed',
    });
  const found = await place(piece, stderr);
  const hint = 'read the file again and make the patch against its current content; nothing was changed';
  if (found === undefined)
    return new PyroError('patch_failed', `the patch does not apply: ${reason}`, {
      hint,
      details: { path: mentioned(piece, stderr), hunk: null, line: null },
    });
  const text = await textOf(lab, found.path);
  const shown = text === undefined ? '' : linesAt(text, found.path, found.line);
  const where = found.hunk === undefined ? '' : ` (hunk ${found.hunk})`;
  const ends = text === undefined ? undefined : await lineEndsOf(text, piece);
  return new PyroError('patch_failed', `the patch does not apply: ${reason}${where}${ends?.note ?? ''}${shown}`, {
    hint: ends === undefined ? hint : ends.hint,
    details: { path: found.path.toString('utf8'), hunk: found.hunk ?? null, line: found.line },
  });
}

/** Git says `patch failed: PATH:LINE`; LINE is where the hunk begins in the old file. */
async function place(
  piece: PatchPiece,
  stderr: string,
): Promise<{ path: Buffer; line: number; hunk: number | undefined } | undefined> {
  for (const key of piece.touched) {
    const start = stderr.indexOf(`patch failed: ${shownPath(key)}:`);
    const line = start < 0 ? null : /:(\d+)$/m.exec(stderr.slice(start));
    if (line === null) continue;
    const hunk = await hunkAt(piece, key, Number(line[1]));
    return { path: Buffer.from(key, 'latin1'), line: Number(line[1]), hunk };
  }
  return undefined;
}

/** Number of the hunk of this file that begins at this line of its old content. */
async function hunkAt(piece: PatchPiece, key: string, line: number): Promise<number | undefined> {
  for (const { oldName, from, hunks } of outlinePatch(await textOfPatch(piece))) {
    if (from !== key && (oldName === undefined || (piece.strip === 0 ? oldName : behindFirst(oldName)) !== key))
      continue;
    const index = hunks.findIndex(({ oldStart }) => oldStart === line);
    return index < 0 ? undefined : index + 1;
  }
  return undefined;
}

/** As latin1 */
async function textOfPatch({ attempts }: PatchPiece): Promise<string> {
  const file = attempts[0]?.at(-1);
  return file === undefined ? '' : await readFile(file, 'latin1');
}

function behindFirst(name: string): string {
  return name.slice(name.indexOf('/') + 1);
}

/** The longest touched path that Git's text names. */
function mentioned(piece: PatchPiece, stderr: string): string | null {
  let longest: string | null = null;
  for (const key of piece.touched) {
    const name = shownPath(key);
    if (name.length > (longest?.length ?? 0) && stderr.includes(name)) longest = name;
  }
  return longest;
}

/** Line ends that keep the patch from fitting: those of the file are not those of the patch. */
async function lineEndsOf(
  text: string,
  piece: PatchPiece,
): Promise<{ readonly note: string; readonly hint: string } | undefined> {
  const patch = await textOfPatch(piece);
  const [ofFile, ofPatch] = [text, patch].map((each) => each.includes('\r\n'));
  if (ofFile === ofPatch) return undefined;
  return ofFile === true
    ? {
        note: '; the file has CRLF line endings and the patch has LF',
        hint: 'end the lines of the patch in CRLF as the file does, or rewrite the whole file; nothing was changed',
      }
    : {
        note: '; the patch has CRLF line endings and the file has LF',
        hint: 'end the lines of the patch in LF as the file does; nothing was changed',
      };
}

/** Content of the guest's file; undefined for one that is not text. */
async function textOf(lab: GitLab, path: Buffer): Promise<string | undefined> {
  // The name goes in by standard input: an argument could not hold bytes that are not UTF-8.
  const object = await objectOf(lab, path);
  if (object === undefined) return undefined;
  await lab.run(['cat-file', '--batch'], { input: `${object}\n`, outputFile: 'blob' });
  const file = await open(lab.file('blob'));
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(readBytes), 0, readBytes, 0);
    const text = buffer.subarray(buffer.indexOf(0x0a) + 1, bytesRead).toString('utf8');
    // The line end behind an object is not the file's own.
    return text.includes('\0') ? undefined : text.replace(/\n$/, '');
  } finally {
    await file.close();
  }
}

async function objectOf(lab: GitLab, path: Buffer): Promise<string | undefined> {
  const listing = await lab.runForBytes(['ls-files', '-z', '--stage']);
  for (const record of listing.toString('latin1').split('\0')) {
    const [head = '', name] = record.split('\t', 2);
    if (name === path.toString('latin1')) return head.split(' ')[1];
  }
  return undefined;
}
