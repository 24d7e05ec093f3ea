// The recipes as make smoke-use-cases runs them, with one daemon for all; and runs that fail or are interrupted.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { perform } from '../recipes/perform.ts';
import { recipes } from '../recipes/recipes.ts';
import { reproFixLoop } from '../recipes/repro-fix-loop.ts';
import type { RunOptions } from '../recipes/scene.ts';
import { root } from '../support/documents.ts';
import { nothing, openRealHome, type RealHome } from '../support/real-home.ts';

let home: RealHome;
let artifacts = '';
let options: RunOptions;

beforeAll(() => {
  home = openRealHome();
  artifacts = mkdtempSync(join(tmpdir(), 'pyro-artifacts-'));
  options = { env: home.env, artifacts, signal: new AbortController().signal, onLine: () => undefined };
});

afterAll(async () => {
  rmSync(artifacts, { recursive: true, force: true });
  expect(await home.close()).toEqual(nothing);
});

it.each(recipes)('$name comes out as its page says, and leaves a transcript', async (recipe) => {
  const { report, files } = await perform(recipe, options);
  expect(report).toMatchObject({ recipe: recipe.name, error: null, passed: true });
  expect(await home.list()).toEqual([]);
  expect(files).toEqual(['transcript.md', 'report.json'].map((name) => join(artifacts, recipe.name, name)));
  const [transcript = '', data = ''] = files.map((file) => readFileSync(file, 'utf8'));
  expect(transcript).toContain(`# ${recipe.name}: passed`);
  expect(transcript).toContain('| `workspace_delete` |');
  expect(transcript).not.toContain('pyro-recipe-');
  expect(JSON.parse(data)).toEqual(report);
});

it('a recipe that fails says where, and leaves no workspace', async () => {
  const failing = {
    ...reproFixLoop,
    run: async (stage: Parameters<typeof reproFixLoop.run>[0]) => {
      const created = await stage.create('doomed');
      stage.check('the workspace is stopped', created, { state: 'stopped' });
    },
  };
  const { report } = await perform(failing, options);
  expect(report.passed).toBe(false);
  expect(report.error).toContain("the workspace is stopped: expected { state: 'stopped' }");
  expect(report.steps.map(({ call }) => call)).toEqual(['workspace_create']);
  expect(await home.list()).toEqual([]);
});

it('a run that is interrupted leaves no workspace', async () => {
  const script = join(root, 'test', 'recipes', 'run.ts');
  const child = spawn(process.execPath, [script, '--artifacts', artifacts, 'repro-fix-loop'], {
    env: home.env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  let isInterrupted = false;
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8');
    if (isInterrupted || !output.includes('workspace_exec')) return;
    // Once: another one while the process exits would end it by the signal.
    isInterrupted = true;
    child.kill('SIGINT');
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  expect(output).toContain('FAILED repro-fix-loop: interrupted');
  expect(output).toMatch(/\n0 passed, 1 failed\n$/);
  expect(code).toBe(130);
  expect(await home.list()).toEqual([]);
});
