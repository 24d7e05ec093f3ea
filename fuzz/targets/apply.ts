// What looks like a killed apply in a checkout: nothing outside of the checkout changes, whatever its journal says.
import { ok as holds, deepStrictEqual as same } from 'node:assert';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { noteStage } from '../../src/changes/apply-notes.ts';
import { recoverApply } from '../../src/changes/apply-undo.ts';
import { type Target, tolerateLater } from '../target.ts';

const folder = mkdtempSync(join(tmpdir(), 'pyro-fuzz-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const [around, root, notes] = [join(folder, 'around'), join(folder, 'around', 'home'), join(folder, 'notes')];
const stage = join(root, '.pyro-apply.partial-0123456789ab');

function journal(...paths: string[]): Buffer {
  const steps = paths.flatMap((path) =>
    [true, false].map((had) => ({ path: Buffer.from(path).toString('base64'), had, writes: true })),
  );
  return Buffer.from(JSON.stringify({ version: 1, steps }));
}

export const applyJournal: Target = {
  isSlow: true,
  examples: [
    journal('a', 'b/c'),
    journal('../outside', '/etc/x'),
    journal('.git/hooks/x', 'link/x', 'a/../../outside'),
  ],
  words: ['../outside', 'link/outside', 'a/./b', '.GIT/x', '/'].map(
    (path) => `"path":"${Buffer.from(path).toString('base64')}"`,
  ),
  run: async (input) => {
    // Half of them are noted as ours, for which only what its paths may be is left to protect.
    const isOurs = input.length % 2 === 0;
    await rm(around, { recursive: true, force: true });
    await mkdir(stage, { recursive: true });
    await mkdir(join(root, '.git'));
    await symlink(around, join(root, 'link'));
    for (const [name, text] of [
      ['outside', 'stays'],
      ['home/a', 'mine'],
      ['home/.git/config', 'git'],
    ] as const) {
      await writeFile(join(around, name), text);
      await utimes(join(around, name), 1000, 1000);
    }
    for (let index = 0; index < 4; index++) await writeFile(join(stage, `old-${index}`), 'planted');
    await writeFile(join(stage, 'journal.json'), input);
    if (isOurs) await noteStage(notes, stage);
    else await rm(notes, { recursive: true, force: true });
    await tolerateLater(() => recoverApply({ root, notes }));
    same(readdirSync(around).sort(), ['home', 'outside']);
    same(readdirSync(join(root, '.git')), ['config']);
    same(readFileSync(join(around, 'outside'), 'utf8'), 'stays');
    same(readFileSync(join(root, '.git/config'), 'utf8'), 'git');
    if (!isOurs) holds(readFileSync(join(root, 'a'), 'utf8') === 'mine');
  },
};
