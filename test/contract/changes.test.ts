// Diffs, patches and exports against trees of every kind, and against guests that lie.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { collectDiff } from '../../src/changes/diff.ts';
import { applyPatch } from '../../src/changes/patch.ts';
import { noProgress } from '../../src/shared/progress.ts';
import { folderFiles } from '../support/folder-files.ts';
import { gitIn } from '../support/hairy-repository.ts';
import { describeTree, editTree, makeTree, Random } from '../support/random-tree.ts';

const seeds = process.env['PYRO_SOAK'] === '1' ? 200 : 20;
const context = { signal: new AbortController().signal, onProgress: noProgress };
let folder = '';
const at = (name: string): string => join(folder, name);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pyro-changes-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function diffOf(baseline: string, present: string): Promise<string> {
  const options = { workFolder: at('work'), isStatOnly: false };
  await using diff = await collectDiff(folderFiles(baseline, present), options, context);
  return readFileSync(diff.patchFile, 'utf8');
}

function gitApply(target: string, patch: string): void {
  const result = spawnSync('git', ['apply', '--binary', '--whitespace=nowarn'], {
    cwd: target,
    input: patch,
    encoding: 'utf8',
  });
  if (result.status !== 0) throw new Error(result.stderr);
}

describe('a diff', () => {
  it.each(Array.from({ length: seeds }, (_, index) => index + 1))(
    'of random edits (seed %i) makes the present tree of the baseline, by git and by us',
    async (seed) => {
      const random = new Random(seed);
      makeTree(at('base'), random);
      cpSync(at('base'), at('now'), { recursive: true, verbatimSymlinks: true });
      editTree(at('now'), random);
      const patch = await diffOf(at('base'), at('now'));
      const expected = describeTree(at('now'));
      cpSync(at('base'), at('by-git'), { recursive: true, verbatimSymlinks: true });
      if (patch !== '') gitApply(at('by-git'), patch);
      expect(describeTree(at('by-git'))).toEqual(expected);
      cpSync(at('base'), at('by-us'), { recursive: true, verbatimSymlinks: true });
      if (patch !== '') await applyPatch(folderFiles(at('base'), at('by-us')), at('work'), Buffer.from(patch), context);
      expect(describeTree(at('by-us'))).toEqual(expected);
      expect(readdirSync(at('work'))).toEqual([]);
    },
  );

  it('tells renames, modes, types and lines', async () => {
    mkdirSync(at('base'));
    for (const name of ['moved', 'mode', 'type', 'gone', 'text'])
      writeFileSync(join(at('base'), name), `${name}\n1\n2\n3\n`);
    cpSync(at('base'), at('now'), { recursive: true });
    spawnSync('sh', ['-c', 'mv moved there; chmod +x mode; rm type gone; ln -s x type; echo 4 >> text; echo > new'], {
      cwd: at('now'),
    });
    const options = { workFolder: at('work'), isStatOnly: true };
    await using diff = await collectDiff(folderFiles(at('base'), at('now')), options, context);
    expect(Object.fromEntries(diff.entries.map((entry) => [entry.path, entry.status]))).toEqual({
      there: 'renamed',
      mode: 'mode_changed',
      type: 'type_changed',
      gone: 'deleted',
      text: 'modified',
      new: 'added',
    });
    expect(diff.summary).toMatchObject({ total: 6, added: 1, renamed: 1 });
    expect(diff.entries.find((entry) => entry.path === 'text')).toMatchObject({ additions: 1, deletions: 0 });
    expect(diff.patchBytes).toBe(0);
  });

  it('is not swayed by attributes that the guest wrote, and leaves .git out', async () => {
    mkdirSync(at('base'));
    mkdirSync(join(at('now'), '.git'), { recursive: true });
    writeFileSync(join(at('now'), '.git/config'), '[core]\n\tfsmonitor = touch /tmp/never\n');
    writeFileSync(join(at('now'), '.gitattributes'), '* -diff diff=evil filter=evil\n');
    writeFileSync(join(at('now'), 'a.txt'), 'text\n');
    const patch = await diffOf(at('base'), at('now'));
    expect(patch).toContain('+text\n');
    expect(patch).not.toContain('fsmonitor');
  });

  it('of one folder has that folder alone', async () => {
    mkdirSync(at('base'));
    for (const name of ['d', 'dd']) mkdirSync(join(at('now'), name), { recursive: true });
    writeFileSync(join(at('now'), 'd/f'), 'x\n');
    writeFileSync(join(at('now'), 'dd/f'), 'x\n');
    const options = { workFolder: at('work'), isStatOnly: false, path: Buffer.from('d') };
    await using diff = await collectDiff(folderFiles(at('base'), at('now')), options, context);
    expect(diff.entries.map((entry) => entry.path)).toEqual(['d/f']);
  });

  it('names what Git cannot hold', async () => {
    mkdirSync(at('base'));
    mkdirSync(at('now'));
    spawnSync('mkfifo', [join(at('now'), 'pipe')]);
    const options = { workFolder: at('work'), isStatOnly: false };
    await using diff = await collectDiff(folderFiles(at('base'), at('now')), options, context);
    expect(diff.entries).toMatchObject([{ path: 'pipe', status: 'added', artifact_type: 'other' }]);
    expect(diff.patchBytes).toBe(0);
  });
});

describe('a patch', () => {
  const numbers = Array.from({ length: 30 }, (_, index) => `${index}\n`).join('');

  beforeEach(() => {
    mkdirSync(join(at('now'), 'src'), { recursive: true });
    writeFileSync(join(at('now'), 'src/a.txt'), numbers);
  });

  async function apply(patch: string): Promise<unknown> {
    return await applyPatch(folderFiles(at('now'), at('now')), at('work'), Buffer.from(patch), context);
  }

  function diffBy(...options: string[]): string {
    cpSync(at('now'), at('repo'), { recursive: true });
    gitIn(at('repo'), 'init', '-q');
    gitIn(at('repo'), 'add', '-A');
    gitIn(at('repo'), 'commit', '-qm', 'x');
    writeFileSync(join(at('repo'), 'src/a.txt'), numbers.replace('15\n', 'fifteen\n'));
    writeFileSync(join(at('repo'), 'added'), 'no end');
    gitIn(at('repo'), 'add', '-A');
    return gitIn(at('repo'), 'diff', '--cached', ...options);
  }

  it.each([
    ['as git prints it', []],
    ['without prefixes', ['--no-prefix']],
    ['with prefixes of its own', ['--src-prefix=i/', '--dst-prefix=w/']],
    ['without context', ['-U1']],
    ['with full names of blobs', ['--full-index', '--binary']],
  ])('%s applies', async (_name, options) => {
    const patch = diffBy(...options);
    expect(await apply(patch)).toMatchObject({ summary: { total: 2, added: 1, modified: 1 } });
    expect(describeTree(at('now'))).toEqual(describeTree(at('repo')));
  });

  it('in a mail applies, and one that lacks its last line end', async () => {
    diffBy();
    gitIn(at('repo'), 'commit', '-qm', 'subject');
    await apply(gitIn(at('repo'), 'format-patch', '-1', '--stdout').trimEnd());
    expect(describeTree(at('now'))).toEqual(describeTree(at('repo')));
  });

  it('with an offset applies', async () => {
    const patch = diffBy();
    writeFileSync(join(at('now'), 'src/a.txt'), `more\nat\nthe\ntop\n${numbers}`);
    await apply(patch);
    expect(readFileSync(join(at('now'), 'src/a.txt'), 'utf8')).toContain('14\nfifteen\n16\n');
  });

  it('that does not fit changes nothing and shows the lines there', async () => {
    const patch = diffBy();
    writeFileSync(join(at('now'), 'src/a.txt'), numbers.replace('16\n', 'sixteen\n'));
    const before = describeTree(at('now'));
    await expect(apply(patch)).rejects.toMatchObject({
      code: 'patch_failed',
      message: expect.stringMatching(/src\/a\.txt: hunk 1.*\n[\s\S]*13: 12/),
      details: { path: 'src/a.txt', hunk: 1 },
    });
    expect(describeTree(at('now'))).toEqual(before);
  });

  it.each([
    ['no patch at all', 'hello\n', 'patch_invalid'],
    ['a path that leads out', '--- a/../x\n+++ b/../x\n@@ -0,0 +1 @@\n+x\n', 'patch_invalid'],
    ["Git's own folder", '--- /dev/null\n+++ b/.git/hooks/x\n@@ -0,0 +1 @@\n+x\n', 'patch_invalid'],
    ['a file that is there already', '--- /dev/null\n+++ b/src/a.txt\n@@ -0,0 +1 @@\n+x\n', 'patch_failed'],
    ['a file that is not there', '--- a/nowhere\n+++ b/nowhere\n@@ -1 +1 @@\n-x\n+y\n', 'patch_failed'],
    ['a file in place of a folder', '--- /dev/null\n+++ b/src\n@@ -0,0 +1 @@\n+x\n', 'patch_failed'],
  ])('of %s is refused', async (_name, patch, code) => {
    await expect(apply(patch)).rejects.toMatchObject({ code });
    expect(describeTree(at('now'))).toEqual({ 'src/a.txt': `- ${Buffer.from(numbers).toString('base64')}` });
  });

  it('through a symbolic link is refused', async () => {
    mkdirSync(at('outside'));
    symlinkSync(at('outside'), join(at('now'), 'link'));
    const patch = '--- /dev/null\n+++ b/link/x\n@@ -0,0 +1 @@\n+x\n';
    await expect(apply(patch)).rejects.toMatchObject({ code: 'patch_failed' });
    expect(readdirSync(at('outside'))).toEqual([]);
  });
});
