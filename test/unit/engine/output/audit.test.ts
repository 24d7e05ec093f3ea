// The log of what crossed a boundary: each line stands for all before it, and nothing that happens to its file stops the work.
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AuditLog, readAudit, sweepAudits } from '../../../../src/engine/output/audit.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pa-'));
  path = join(folder, 'audit', 'w.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (): AuditLog => new AuditLog(path, (text) => text.replaceAll('hush', '****'));
const seed = (what: string) => ({ kind: 'seed', direction: 'in', what, files: 1, bytes: 2 }) as const;
const lines = (): string[] => readFileSync(path, 'utf8').trimEnd().split('\n');

it('numbers its lines on from those of an earlier daemon, masks what may not be shown, and holds no orders to a terminal', async () => {
  const log = open();
  await Promise.all([log.note(seed('one hush')), log.note(seed('two\u001b[31m'))]);
  await open().note(seed('three'));
  const { entries, brokenAt } = await readAudit(path);
  expect(entries.map(({ sequence, what }) => [sequence, what])).toEqual([
    [1, 'one ****'],
    [2, 'two\\x1b[31m'],
    [3, 'three'],
  ]);
  expect(brokenAt).toBeNull();
});

it.each([
  ['changed', (all: string[]) => all.map((line, at) => (at === 1 ? line.replace('two', 'owt') : line)), 2],
  ['taken out', (all: string[]) => all.filter((_, at) => at !== 1), 2],
  ['taken off the top', (all: string[]) => all.slice(1), 1],
])('tells the first line that does not follow when one was %s', async (_how, change, at) => {
  const log = open();
  for (const what of ['one', 'two', 'three']) await log.note(seed(what));
  writeFileSync(path, `${change(lines()).join('\n')}\n`);
  expect((await readAudit(path)).brokenAt).toBe(at);
});

it('goes on in a line of its own behind one that a crash cut short', async () => {
  await open().note(seed('one'));
  appendFileSync(path, '{"sequence":2,"at":');
  expect((await readAudit(path)).isCut).toBe(true);
  await open().note(seed('two'));
  const { entries, brokenAt } = await readAudit(path);
  expect(entries.map(({ what }) => what)).toEqual(['one', 'two']);
  expect(brokenAt).toBeNull();
});

it('counts connections beyond so many in place of a line for each', async () => {
  const log = open();
  for (let each = 0; each < 7100; each++) await log.noteConnection('api.example:443', 'out', 10);
  const { entries, brokenAt } = await readAudit(path);
  expect(entries.filter(({ kind }) => kind === 'network')).toHaveLength(5000);
  expect(entries.filter(({ kind }) => kind === 'counted').map(({ what }) => what)).toEqual([
    '1000 more connections, which have no lines here',
    '2000 more connections, which have no lines here',
  ]);
  expect(brokenAt).toBeNull();
});

it('keeps files of workspaces that are there, and those of others for a while', async () => {
  const names = ['there', 'old', 'new'].map((name) => join(folder, `${name}.jsonl`));
  for (const file of names) writeFileSync(file, '');
  mkdirSync(join(folder, 'other'));
  const long = new Date(Date.now() - 91 * 24 * 3600 * 1000);
  for (const file of names.slice(0, 2)) utimesSync(file, long, long);
  await sweepAudits(folder, (id) => id === 'there');
  await sweepAudits(join(folder, 'missing'), () => false);
  expect(readdirSync(folder).toSorted()).toEqual(['new.jsonl', 'other', 'there.jsonl']);
});
