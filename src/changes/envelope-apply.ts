// A patch that begins with `*** Begin Patch`, into the lab's index: from there it goes the way of every patch.
import { Readable } from 'node:stream';
import type { ChangeSide } from '../agent/file-types.ts';
import { PyroError } from '../shared/errors.ts';
import { formatBytes, mebibyte } from '../shared/units.ts';
import { editText } from './envelope-edit.ts';
import { type EnvelopeSection, parseEnvelope } from './envelope-parse.ts';
import type { GitLab } from './git-lab.ts';
import { pathKey, quotePath, workspaceFolder } from './git-paths.ts';
import { afterRef, beforeRef } from './import-trees.ts';
import { linesAt } from './shown-lines.ts';

export interface Envelope {
  readonly sections: readonly EnvelopeSection[];
  /** Keys of every path that it reads or writes */
  readonly touched: ReadonlySet<string>;
  /** Where moved files come from, by the keys of their new names */
  readonly origins: ReadonlyMap<string, string>;
}

interface Entry {
  readonly path: Buffer;
  readonly mode: string;
  /** Object that holds the content, where `content` is absent */
  readonly object?: string;
  readonly content?: Buffer;
}

type State = Map<string, Entry>;

/** Files that are edited, together: they are held in memory */
const mostEdited = 8 * mebibyte;
const linkMode = '120000';

/** Throws `patch_invalid`. */
export function readEnvelope(text: string): Envelope {
  const sections = parseEnvelope(text);
  const touched = new Set<string>();
  const origins = new Map<string, string>();
  for (const section of sections) {
    touched.add(pathKey(section.path));
    if (section.kind !== 'update' || section.moveTo === undefined) continue;
    touched.add(pathKey(section.moveTo));
    origins.set(pathKey(section.moveTo), pathKey(section.path));
  }
  return { sections, touched, origins };
}

/** Throws `patch_failed` for what does not fit; `before` tells what stands in the guest. */
export async function applyEnvelope(
  lab: GitLab,
  { sections }: Envelope,
  before: (key: string) => ChangeSide | undefined,
): Promise<void> {
  const old = await readIndex(lab);
  const contents = await readContents(lab, sections, old);
  const state: State = new Map(old);
  for (const section of sections) applySection(section, state, contents, before);
  checkRoom(state);
  await writeIndex(lab, old, state);
}

function applySection(
  section: EnvelopeSection,
  state: State,
  contents: ReadonlyMap<string, Buffer>,
  before: (key: string) => ChangeSide | undefined,
): void {
  const { path } = section;
  const key = pathKey(path);
  const entry = state.get(key);
  if (section.kind === 'add') {
    if (entry?.mode === linkMode) throw failed(path, 'is a link; name the file that it points to');
    state.set(key, { path, mode: entry?.mode ?? '100644', content: Buffer.from(section.content, 'latin1') });
    return;
  }
  if (entry === undefined) {
    throw failed(path, before(key)?.type === 'directory' ? 'is a folder, not a file' : 'does not exist');
  }
  state.delete(key);
  if (section.kind === 'delete') return;
  if (entry.mode === linkMode && section.hunks.length > 0)
    throw failed(path, 'is a link; name the file that it points to');
  const edited = section.hunks.length === 0 ? entry : edit(section, entry, contents);
  const target = section.moveTo ?? path;
  state.set(pathKey(target), { ...edited, path: target });
}

function edit(
  { path, hunks }: Extract<EnvelopeSection, { kind: 'update' }>,
  entry: Entry,
  contents: ReadonlyMap<string, Buffer>,
): Entry {
  const text = (entry.content ?? contents.get(entry.object ?? '') ?? Buffer.alloc(0)).toString('latin1');
  const result = editText(text, hunks);
  if (typeof result === 'string') return { path, mode: entry.mode, content: Buffer.from(result, 'latin1') };
  const isShown = result.isShown !== false && !text.includes('\0');
  const shown = !isShown ? '' : linesAt(Buffer.from(text, 'latin1').toString('utf8'), path, result.line);
  const where = `hunk ${result.hunk} of ${hunks.length} (line ${hunks[result.hunk - 1]?.patchLine ?? 0} of the patch)`;
  throw new PyroError(
    'patch_failed',
    `the patch does not apply: ${path.toString('utf8')}, ${where}: ${result.why}${shown}`,
    {
      hint: 'read the file again and make the patch against its current content; nothing was changed',
      details: { path: path.toString('utf8'), hunk: result.hunk, line: result.line },
    },
  );
}

/** Throws where a file would need the place of a folder, or a folder that of a file. */
function checkRoom(state: State): void {
  for (const [key, { path }] of state) {
    for (let slash = key.indexOf('/'); slash >= 0; slash = key.indexOf('/', slash + 1)) {
      const above = state.get(key.slice(0, slash));
      if (above === undefined) continue;
      throw failed(path, `needs a folder where ${above.mode === linkMode ? 'a link' : 'a file'} is`);
    }
  }
}

async function readIndex(lab: GitLab): Promise<State> {
  const listing = (await lab.runForBytes(['ls-files', '-z', '--stage'])).toString('latin1');
  const state: State = new Map();
  for (const record of listing.split('\0')) {
    const match = /^(\d+) ([0-9a-f]+) \d\t(.*)$/s.exec(record);
    if (match === null) continue;
    const [, mode = '', object = '', key = ''] = match;
    state.set(key, { path: Buffer.from(key, 'latin1'), mode, object });
  }
  return state;
}

/** Contents of the files that hunks are for, by their objects. */
async function readContents(
  lab: GitLab,
  sections: readonly EnvelopeSection[],
  state: State,
): Promise<ReadonlyMap<string, Buffer>> {
  const edited = sections.filter((section) => section.kind === 'update' && section.hunks.length > 0);
  const objects = new Set(edited.flatMap(({ path }) => state.get(pathKey(path))?.object ?? []));
  const contents = new Map<string, Buffer>();
  if (objects.size === 0) return contents;
  const input = [...objects].map((object) => `${object}\n`).join('');
  const heads = (await lab.runForBytes(['cat-file', '--batch-check'], { input })).toString('latin1');
  const total = heads.split('\n').reduce((sum, head) => sum + Number(head.split(' ')[2] ?? 0), 0);
  if (total > mostEdited) {
    throw new PyroError('patch_failed', `the files that this patch edits hold more than ${formatBytes(mostEdited)}`, {
      hint: 'edit large files with a unified diff or a command; nothing was changed',
      details: { path: null, hunk: null, line: null },
    });
  }
  const bytes = await lab.runForBytes(['cat-file', '--batch'], { input });
  for (let at = 0; at < bytes.length; ) {
    const feed = bytes.indexOf(0x0a, at);
    const [object = '', , size = ''] = bytes.toString('latin1', at, feed).split(' ');
    const stop = feed + 1 + Number(size);
    contents.set(object, bytes.subarray(feed + 1, stop));
    at = stop + 1;
  }
  return contents;
}

/** One stream for all files: as many objects and files of their own would take a thousand times as long. */
async function writeIndex(lab: GitLab, old: State, state: State): Promise<void> {
  const args = ['fast-import', '--quiet', '--done', '--force', '--depth=0', '--big-file-threshold=16m'];
  await lab.run(args, { input: Readable.from(commitOf(old, state)) });
  await lab.run(['read-tree', afterRef]);
}

function* commitOf(old: State, state: State): Generator<Buffer> {
  yield Buffer.from(`commit ${afterRef}\ncommitter pyro <> 0 +0000\ndata 0\nfrom ${beforeRef}\n`);
  for (const [key, { path }] of old) if (!state.has(key)) yield Buffer.from(`D ${quotePath(path)}\n`);
  for (const [key, entry] of state) {
    if (old.get(key) === entry) continue;
    const { mode, path, content, object = '' } = entry;
    yield Buffer.from(`M ${mode} ${content === undefined ? object : 'inline'} ${quotePath(path)}\n`);
    if (content === undefined) continue;
    yield Buffer.from(`data ${content.length}\n`);
    yield content;
    yield Buffer.from('\n');
  }
  yield Buffer.from('done\n');
}

function failed(path: Buffer, why: string): PyroError {
  const name = path.toString('utf8');
  return new PyroError('patch_failed', `${workspaceFolder}/${name} ${why}`, {
    hint: 'nothing was changed',
    details: { path: name, hunk: null, line: null },
  });
}
