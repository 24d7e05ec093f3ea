// Random edits in a real guest: the diff makes of the seed exactly the tree that is exported, and a reset takes all away.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DiffInput } from '../../src/contract/changes.ts';
import { editScript } from '../support/edit-script.ts';
import { call, createRequest, exec, openTestEngine, type TestEngine } from '../support/engine.ts';
import { gitIn } from '../support/hairy-repository.ts';
import { describeFolder } from '../support/host-tree.ts';
import { makeTree, Random } from '../support/random-tree.ts';

const seedCount = Number(process.env['PYRO_ROUNDS'] ?? (process.env['PYRO_SOAK'] === '1' ? 200 : 8));
const firstSeed = Number(process.env['PYRO_SEED'] ?? Date.now() % 1_000_000);
const seeds = Array.from({ length: seedCount }, (_, index) => firstSeed + index);

const diffRequest: Omit<DiffInput, 'workspace_id'> = {
  stat_only: false,
  base: 'baseline',
  system: false,
  include_ignored: false,
  max_file_bytes: 0,
  max_bytes: 1 << 28,
  entry_limit: 100_000,
};

let engine: TestEngine;
let folder = '';
let repository = '';
let id = '';

/** A repository with a commit, and a tree on top of it that is not committed. */
function makeRepository(root: string, random: Random): void {
  makeTree(root, random);
  gitIn(root, 'init', '-q', '-b', 'main');
  gitIn(root, 'add', '-A');
  gitIn(root, 'commit', '-q', '--allow-empty', '-m', 'first');
  makeTree(root, random);
}

const filesOf = (root: string): string[] => describeFolder(root).filter((line) => !line.startsWith('".git/'));

beforeAll(async () => {
  engine = await openTestEngine();
  folder = mkdtempSync(join(tmpdir(), 'pyro-property-'));
  repository = join(folder, 'repository');
  makeRepository(repository, new Random(firstSeed));
  id = (await engine.workspaces().create({ ...createRequest, seed_path: repository }, call())).workspace_id;
});

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

describe('random edits in a guest', () => {
  it.each(seeds)('PYRO_SEED=%i: the patch gives the tree, and a reset takes it away', async (seed) => {
    const script = editScript(repository, new Random(seed));
    const edited = await exec(engine, id, 'cat > /tmp/edits; sh /tmp/edits', { stdin: script });
    expect(edited).toMatchObject({ exit_code: 0, stderr: '' });

    const { patch, changed } = await engine.workspaces().diff({ ...diffRequest, workspace_id: id }, call());
    const exported = join(folder, `exported-${seed}`);
    const request = {
      path: '/workspace',
      output_path: exported,
      format: 'files',
      overwrite: false,
      include_git: false,
      include_ignored: false,
    };
    await engine.workspaces().export({ ...request, workspace_id: id, format: 'files' }, call());
    const copy = join(folder, `copy-${seed}`);
    cpSync(repository, copy, { recursive: true, verbatimSymlinks: true });
    const before = filesOf(copy);
    if (changed) {
      const applied = spawnSync('git', ['apply', '--binary', '--whitespace=nowarn'], {
        cwd: copy,
        input: patch,
        encoding: 'utf8',
      });
      // What Git says of white space is no failure.
      expect(applied.status === 0 ? 'applied' : applied.stderr).toBe('applied');
    }
    expect(filesOf(copy)).toEqual(filesOf(exported));
    // The script has done something, or the seed would prove nothing.
    expect(filesOf(copy)).not.toEqual(before);

    await engine.workspaces().reset({ workspace_id: id, snapshot: 'baseline' }, call());
    expect(await engine.workspaces().diff({ ...diffRequest, workspace_id: id }, call())).toMatchObject({
      changed: false,
      patch: '',
    });
    for (const path of [exported, copy]) rmSync(path, { recursive: true, force: true });
  });
});
