// A patch as Git can take it: pieces with the right options, and the paths that each one touches.
import { writeFile } from 'node:fs/promises';
import { PyroError } from '../shared/errors.ts';
import type { GitLab } from './git-lab.ts';
import { refusalOfGit, shownPath } from './git-paths.ts';
import { outlinePatch, PatchOutline, splitMails } from './patch-parse.ts';
import { zeroEnded } from './raw-diff.ts';

export interface PatchPiece {
  readonly strip: 0 | 1;
  /** Where renamed and copied paths come from, by their keys */
  readonly origins: ReadonlyMap<string, string>;
  /** Ways to apply it, the most exact first: options of `git apply`, with the file in the end */
  readonly attempts: readonly (readonly string[])[];
  /** Keys of every path that it reads or writes */
  readonly touched: ReadonlySet<string>;
}

/** Reads a whole patch, as latin1, into files of the lab; what is given holds none of its text. Throws `patch_invalid`. */
export async function readPieces(lab: GitLab, patch: string): Promise<PatchPiece[]> {
  if (patch.trim() === '') throw invalid('the patch is empty');
  const mails = splitMails(patch);
  if (mails.length === 0) throw invalid('these mails contain no patch');
  const pieces: PatchPiece[] = [];
  for (const [index, mail] of mails.entries()) pieces.push(await readPiece(lab, mail, `piece-${index}`));
  for (const { touched } of pieces) {
    for (const key of touched) {
      const refusal = refusalOfGit(Buffer.from(key, 'latin1'), false);
      if (refusal !== undefined) throw invalid(`the patch touches ${JSON.stringify(shownPath(key))}, which ${refusal}`);
    }
  }
  return pieces;
}

async function readPiece(lab: GitLab, mail: string, name: string): Promise<PatchPiece> {
  const { written, outline } = await writePiece(lab, mail, name);
  const { strip, origins, hasMoves, hasNoContext } = outline;
  const options = [`-p${strip}`, ...(hasNoContext ? ['--unidiff-zero'] : [])];
  // Only when its counts do not parse: people and models write hunks with wrong ones.
  const [first = ''] = written;
  let extra: string[] = [];
  let touched = await touchedKeys(lab, [...options, first], hasMoves);
  if ('reason' in touched) {
    const recounted = await touchedKeys(lab, [...options, '--recount', first], hasMoves);
    if ('reason' in recounted) throw unreadable(touched.reason);
    touched = recounted;
    extra = ['--recount'];
  }
  return { strip, origins, touched, attempts: written.map((file) => [...options, ...extra, file]) };
}

/** Writes a piece as Git can take it, in each way that there is, and says what its files have in common. */
async function writePiece(
  lab: GitLab,
  mail: string,
  name: string,
): Promise<{ readonly written: readonly string[]; readonly outline: PatchOutline }> {
  const texts = lineEnds(mail);
  const outline = new PatchOutline();
  for (const file of outlinePatch(texts[0] ?? '')) {
    const { oldName, newName, from, to } = file;
    const absolute = [oldName, newName, from, to].find((path) => path?.startsWith('/') === true);
    if (absolute !== undefined) throw invalid(`the patch names an absolute path, ${absolute}`);
    outline.add(file);
  }
  const written: string[] = [];
  for (const [index, text] of texts.entries()) {
    const file = lab.file(`${name}-${index}.patch`);
    await writeFile(file, closed(text), 'latin1');
    written.push(file);
  }
  return { written, outline };
}

/** Names that Git reads out of the patch: the new ones, and, by reading it backwards, the old ones of renames and copies. */
async function touchedKeys(
  lab: GitLab,
  args: readonly string[],
  hasMoves: boolean,
): Promise<Set<string> | { reason: string }> {
  const keys = new Set<string>();
  for (const direction of hasMoves ? [[], ['-R']] : [[]]) {
    const result = await lab.tryRun(['apply', '--numstat', '-z', ...direction, ...args], { outputFile: 'touched' });
    if (result.exitCode !== 0) return { reason: result.stderr };
    for await (const record of zeroEnded(lab.file('touched')))
      keys.add(record.slice(record.indexOf('\t', record.indexOf('\t') + 1) + 1));
  }
  return keys;
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

/** What is put together from the pieces: the first one's own where there is no other. */
export function joined(pieces: readonly PatchPiece[]): Pick<PatchPiece, 'touched' | 'origins'> {
  const [first] = pieces;
  if (first !== undefined && pieces.length === 1) return first;
  const touched = new Set<string>();
  const origins = new Map<string, string>();
  for (const piece of pieces) {
    for (const key of piece.touched) touched.add(key);
    for (const [to, from] of piece.origins) origins.set(to, from);
  }
  return { touched, origins };
}

function unreadable(stderr: string): PyroError {
  const reason = stderr.replace(/^(error|fatal): /gm, '').trim();
  const line = /at line (\d+)|line (\d+):/.exec(reason);
  return new PyroError('patch_invalid', `git cannot read the patch: ${reason.slice(0, 500)}`, {
    hint: 'give the whole patch as git diff prints it, with the right counts in each @@ line',
    details: { line: line === null ? null : Number(line[1] ?? line[2]) },
  });
}

function invalid(why: string): PyroError {
  return new PyroError('patch_invalid', why, {
    hint: 'paths in a patch are relative to /workspace, as git diff prints them there; nothing was changed',
  });
}
