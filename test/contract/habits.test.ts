// Several workspaces on one command line, and none where one is wanted: what is said, and the exit code.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { pyro } from '../support/pyro.ts';

let home = '';
let env: Readonly<Record<string, string>> = {};
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'ph-'));
  env = { PYRO_HOME: home };
});
afterAll(async () => {
  await pyro(['daemon', 'stop', '--force'], { env });
  rmSync(home, { recursive: true, force: true });
});

it('each of several unknown ones is told', async () => {
  const { exitCode, stderr } = await pyro(['rm', 'one', 'two'], { env });
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/error: .*one[\s\S]*error: .*two/);
  const json = await pyro(['rm', 'one', 'two', '--json'], { env });
  expect(json.exitCode).toBe(1);
  expect(JSON.parse(json.stdout.toString('utf8'))).toMatchObject({
    results: ['one', 'two'].map((name) => ({ workspace_id: name, error: { code: 'workspace_unknown' } })),
  });
});

it('without a workspace of this folder the error says how to make one', async () => {
  const { exitCode, stderr } = await pyro(['exec', '--', 'true'], { env });
  expect(exitCode).toBe(2);
  expect(stderr).toMatch(/none was created from .*\n.*pyro workspace create\n/);
});

it('empty and a seed exclude each other', async () => {
  const { exitCode, stderr } = await pyro(['create', '--empty', '--seed-path', '.'], { env });
  expect(exitCode).toBe(2);
  expect(stderr).toContain('--seed-path, not both');
});

it('a line that lacks something says what, and the next step', async () => {
  for (const words of [
    ['run', 'debian:12'],
    ['exec', 'one', '--'],
  ]) {
    expect((await pyro(words, { env })).stderr).toMatch(/^error: a command is needed after --\nhint: /);
  }
  expect((await pyro(['rm'], { env })).stderr).toBe(
    'error: no workspace was named\nhint: name it by its id, the start of its id, or its name: pyro ps lists them\n',
  );
  expect((await pyro(['config', 'mem'], { env })).stderr).toContain('did you mean mem-mib');
  const exec = (await pyro(['workspace', 'exec', '--help'], { env })).stdout.toString('utf8');
  expect((await pyro(['help', 'workspace', 'exec'], { env })).stdout.toString('utf8')).toBe(exec);
  expect((await pyro(['exec', '--help'], { env })).stdout.toString('utf8')).toContain(
    '  pyro exec -it 6f1e538c0e71 -- bash\n',
  );
});
