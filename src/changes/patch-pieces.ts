// A patch as Git can take it: pieces with the right options, and the paths that each one touches.
import { writeFile } from 'node:fs/promises';
import { PyroError } from '../shared/errors.ts';
import { type GitLab, splitRecords } from './git-lab.ts';
import { pathKey, refusalOfGit } from './git-paths.ts';
import { hasNoContext, outlinePatch, type PatchFile, splitMails, stripCount } from './patch-parse.ts';

export interface PatchPiece {
  readonly files: readonly PatchFile[];
  readonly strip: 0 | 1;
  /** Ways to apply it, the most exact first: options of `git apply`, with the file in the end */
  readonly attempts: readonly (readonly string[])[];
  /** Every path that it reads or writes */
  readonly touched: readonly Buffer[];
}

/** Reads a whole patch. Throws `patch_invalid`. */
export async function readPieces(lab: GitLab, patch: Buffer): Promise<PatchPiece[]> {
  if (patch.toString('latin1').trim() === '') throw invalid('the patch is empty');
  const mails = splitMails(patch);
  if (mails.length === 0) throw invalid('there is no patch in these mails');
  const pieces: PatchPiece[] = [];
  for (const [index, mail] of mails.entries()) pieces.push(await readPiece(lab, mail, `piece-${index}`));
  for (const path of pieces.flatMap((piece) => piece.touched)) {
    const refusal = refusalOfGit(path, false);
    if (refusal !== undefined)
      throw invalid(`the patch touches ${JSON.stringify(path.toString('utf8'))}, which ${refusal}`);
  }
  return pieces;
}

async function readPiece(lab: GitLab, mail: Buffer, name: string): Promise<PatchPiece> {
  const texts = lineEnds(mail.toString('latin1'));
  const files = outlinePatch(texts[0] ?? '');
  for (const { oldName, newName, from, to } of files) {
    const absolute = [oldName, newName, from, to].find((path) => path?.startsWith('/') === true);
    if (absolute !== undefined) throw invalid(`the patch names an absolute path, ${absolute}`);
  }
  const strip = stripCount(files);
  const options = [`-p${strip}`, ...(hasNoContext(files) ? ['--unidiff-zero'] : [])];
  const written: string[] = [];
  for (const [index, text] of texts.entries()) {
    const file = lab.file(`${name}-${index}.patch`);
    await writeFile(file, closed(text), 'latin1');
    written.push(file);
  }
  // Only when its counts do not parse: people and models write hunks with wrong ones.
  const [first = ''] = written;
  let extra: string[] = [];
  const hasMoves = files.some((file) => file.from !== undefined);
  let plain = await touchedPaths(lab, [...options, first], hasMoves);
  if (!Array.isArray(plain)) {
    const recounted = await touchedPaths(lab, [...options, '--recount', first], hasMoves);
    if (!Array.isArray(recounted)) throw unreadable(plain.reason);
    plain = recounted;
    extra = ['--recount'];
  }
  return {
    files,
    strip,
    touched: plain,
    attempts: written.map((file) => [...options, ...extra, file]),
  };
}

/** Names that Git reads out of the patch: the new ones, and, by reading it backwards, the old ones of renames and copies. */
async function touchedPaths(
  lab: GitLab,
  args: readonly string[],
  hasMoves: boolean,
): Promise<Buffer[] | { reason: string }> {
  const names: Buffer[] = [];
  for (const direction of hasMoves ? [[], ['-R']] : [[]]) {
    const result = await lab.tryRun(['apply', '--numstat', '-z', ...direction, ...args], { outputFile: 'touched' });
    if (result.exitCode !== 0) return { reason: result.stderr };
    const records = splitRecords(await lab.read('touched'));
    names.push(...records.map((record) => record.subarray(record.indexOf(0x09, record.indexOf(0x09) + 1) + 1)));
  }
  return names;
}

/** When the headers themselves end in CR LF the patch was converted: either as a whole, or for a file that has CR LF. */
function lineEnds(text: string): string[] {
  if (!/^(diff --git .*|@@ -[\d, +]+ @@)\r$/m.test(text)) return [text];
  const headersOnly = text.replace(
    /^((?:diff --git|--- |\+\+\+ |@@ |index |new file|deleted file|old mode|new mode|similarity|rename |copy |\\ ).*)\r$/gm,
    '$1',
  );
  return [text.replaceAll('\r\n', '\n'), headersOnly];
}

/** A patch that lost its last line end, or the empty line behind binary data, is still meant. */
function closed(text: string): string {
  const ended = text.endsWith('\n') ? text : `${text}\n`;
  return ended.includes('\nGIT binary patch\n') && !ended.endsWith('\n\n') ? `${ended}\n` : ended;
}

/** All paths that the pieces name, by their keys. */
export function touchedKeys(pieces: readonly PatchPiece[]): Map<string, Buffer> {
  return new Map(pieces.flatMap((piece) => piece.touched).map((path) => [pathKey(path), path]));
}

/** Where renamed and copied paths come from, by their keys. */
export function originsOf(pieces: readonly PatchPiece[]): Map<string, Buffer> {
  const origins = new Map<string, Buffer>();
  for (const { from, to } of pieces.flatMap((piece) => piece.files))
    if (from !== undefined && to !== undefined) origins.set(to, Buffer.from(from, 'latin1'));
  return origins;
}

function unreadable(stderr: string): PyroError {
  const reason = stderr.replace(/^(error|fatal): /gm, '').trim();
  const line = /at line (\d+)|line (\d+):/.exec(reason);
  return new PyroError('patch_invalid', `git cannot read the patch: ${reason.slice(0, 500)}`, {
    hint: 'give the patch as git diff prints it, whole and with the right counts in each @@ line',
    details: { line: line === null ? null : Number(line[1] ?? line[2]) },
  });
}

function invalid(why: string): PyroError {
  return new PyroError('patch_invalid', why, {
    hint: 'paths in a patch are relative to /workspace, as git diff prints them there; nothing was changed',
  });
}
