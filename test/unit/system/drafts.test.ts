// What a killed maker has left at places of the host is undone by the next start, and nothing else.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { noteDraft, sweepDrafts } from '../../../src/system/drafts.ts';
import { temporaryName } from '../../../src/system/files.ts';

let folder: string;
let journal: string;
const on = (name: string): string => join(folder, name);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pd-'));
  journal = on('drafts');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('removes what was being made, with the folders made for it, and its note', async () => {
  mkdirSync(on('new/deep'), { recursive: true });
  const draft = temporaryName(on('new/deep/out'));
  await noteDraft(journal, { made: [draft], folders: [on('new/deep'), on('new')] });
  mkdirSync(draft);
  writeFileSync(join(draft, 'half'), 'half');
  await sweepDrafts(journal);
  expect(readdirSync(folder)).toEqual(['drafts']);
  expect(readdirSync(journal)).toEqual([]);
});

it('puts back what was moved aside, unless something stands there again', async () => {
  const [one, other] = [temporaryName(on('one')), temporaryName(on('other'))];
  await noteDraft(journal, { moved: { from: on('one'), aside: one } });
  await noteDraft(journal, { moved: { from: on('other'), aside: other } });
  writeFileSync(one, 'the only copy');
  writeFileSync(other, 'before');
  writeFileSync(on('other'), 'after');
  await sweepDrafts(journal);
  expect(readFileSync(on('one'), 'utf8')).toBe('the only copy');
  expect(readFileSync(on('other'), 'utf8')).toBe('after');
  expect(existsSync(other)).toBe(false);
});

it('touches nothing but names of its own, and nothing behind a link', async () => {
  mkdirSync(on('theirs'));
  symlinkSync(on('theirs'), on('link'));
  const behind = temporaryName(on('link/out'));
  writeFileSync(behind, 'theirs');
  writeFileSync(on('kept'), 'kept');
  await noteDraft(journal, { made: [behind, on('kept')], folders: [on('theirs')] });
  await sweepDrafts(journal);
  expect(readdirSync(on('theirs'))).toHaveLength(1);
  expect(readFileSync(on('kept'), 'utf8')).toBe('kept');
});

it('leaves nothing of a note whose work has ended, nor of one that is no note', async () => {
  await (await noteDraft(journal, { made: [temporaryName(on('out'))] }))[Symbol.asyncDispose]();
  expect(readdirSync(journal)).toEqual([]);
  writeFileSync(join(journal, 'x.json'), '{');
  await sweepDrafts(journal);
  expect(readdirSync(journal)).toEqual([]);
  await expect(noteDraft(undefined, {})).resolves.toBeDefined();
});

it('keeps the note of what could not be removed, for the next start', async () => {
  const aside = temporaryName(on('out'));
  {
    await using _note = await noteDraft(journal, { moved: { from: on('out'), aside } });
    writeFileSync(aside, 'before');
    writeFileSync(on('out'), 'after');
  }
  expect(readdirSync(journal)).toHaveLength(1);
  await sweepDrafts(journal);
  expect(readdirSync(folder).toSorted()).toEqual(['drafts', 'out']);
  expect(readdirSync(journal)).toEqual([]);
});
