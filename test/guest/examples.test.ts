// The examples with a real guest: programs over MCP and with the library, a model, and a step of a CI job.
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { root } from '../support/documents.ts';
import { startModel } from '../support/scripted-model.ts';
import { snippetsOf } from '../support/snippets.ts';

const examples = join(root, 'examples');
const pyro = join(root, 'bin/pyro');
const env = { ...process.env, PATH: `${join(root, 'bin')}:${process.env['PATH']}` };
let project = '';

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'px-'));
  execFileSync('git', ['init', '-q', '-b', 'main', project]);
});

beforeEach(() => {
  writeFileSync(join(project, 'message.txt'), 'broken\n');
});

afterAll(() => {
  rmSync(project, { recursive: true, force: true });
});

function workspaceCount(): number {
  return JSON.parse(execFileSync(pyro, ['workspace', 'list', '--json'], { encoding: 'utf8' })).count;
}

it('patches and files come from standard input, byte for byte', () => {
  const pipe = (args: readonly string[], input: Buffer | string = ''): Buffer => execFileSync(pyro, args, { input });
  const made = pipe(['workspace', 'create', '--seed-path', project, '--label', 'from=test', '--quiet']).toString();
  expect(made).toMatch(/^[0-9a-f]{12}\n$/);
  const id = made.trim();
  try {
    expect(pipe(['workspace', 'list', '--label', 'from=test', '-q']).toString()).toBe(made);
    pipe(['workspace', 'patch', 'apply', id], '--- a/message.txt\n+++ b/message.txt\n@@ -1 +1 @@\n-broken\n+fixed\n');
    expect(pipe(['workspace', 'file', 'read', id, 'message.txt']).toString()).toBe('fixed\n');
    const bytes = Buffer.from([0, 255, 13, 10, 128]);
    pipe(['workspace', 'file', 'write', id, 'blob.bin'], bytes);
    expect(pipe(['workspace', 'file', 'read', id, 'blob.bin'])).toEqual(bytes);
  } finally {
    pipe(['workspace', 'delete', id]);
  }
});

it('in a checkout the short commands make, find and bring home its workspace', () => {
  const run = (folder: string, ...args: string[]) =>
    spawnSync(pyro, args, { cwd: folder, encoding: 'utf8', input: '', env });
  mkdirSync(join(project, 'deep'), { recursive: true });
  const id = run(join(project, 'deep'), 'create', '--quiet').stdout.trim();
  try {
    expect(run(project, 'ps', '--folder', '.', '-q').stdout).toBe(`${id}\n`);
    const done = run(join(project, 'deep'), 'exec', '--', 'cat message.txt; echo fixed > message.txt');
    expect(done).toMatchObject({ status: 0, stdout: 'broken\n', stderr: expect.stringContaining(`[workspace] ${id}`) });
    expect(run(project, 'diff', '--stat-only').stdout).toContain('message.txt');
    expect(run(project, 'apply').status).toBe(0);
    expect(readFileSync(join(project, 'message.txt'), 'utf8')).toBe('fixed\n');
  } finally {
    const removed = run(project, 'rm', 'nobody', id);
    expect(removed).toMatchObject({ status: 1, stdout: expect.stringContaining(`deleted ${id}`) });
    expect(removed.stderr).toContain('nobody');
  }
});

it('the Python client runs a command, gets the diff and leaves no workspace', () => {
  const before = workspaceCount();
  const command = 'cat message.txt; echo fixed > message.txt; exit 7';
  const client = [join(examples, 'mcp-client.py'), '--project', project, '--command', command];
  const { status, stdout } = spawnSync('python3', client, { env, encoding: 'utf8' });
  expect(status).toBe(7);
  expect(stdout).toMatch(/^broken\ndiff --git a\/message\.txt b\/message\.txt\n[\s\S]*-broken\n\+fixed\n$/);
  expect(workspaceCount()).toBe(before);
});

it('the CI script reports the check’s exit code, a summary and a patch that Git takes', () => {
  const before = workspaceCount();
  const { status } = spawnSync(join(examples, 'ci.sh'), ['echo fixed > message.txt; exit 5'], { cwd: project, env });
  expect(status).toBe(5);
  expect(readFileSync(join(project, 'pyro-report/summary.md'), 'utf8')).toContain('1 file changed');
  execFileSync('git', ['-C', project, 'apply', 'pyro-report/changes.patch']);
  expect(readFileSync(join(project, 'message.txt'), 'utf8')).toBe('fixed\n');
  expect(workspaceCount()).toBe(before);
});

it('the library example shows the output, prints the patch and leaves no workspace', () => {
  const before = workspaceCount();
  const command = 'cat message.txt; echo oops >&2; echo fixed > message.txt; exit 7';
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(examples, 'sdk.ts'), command], {
    cwd: project,
    env,
    encoding: 'utf8',
  });
  expect(stderr).toContain('oops');
  expect(status).toBe(7);
  expect(stdout).toMatch(/^broken\ndiff --git a\/message\.txt b\/message\.txt\n[\s\S]*-broken\n\+fixed\n$/);
  expect(workspaceCount()).toBe(before);
});

it('the snippets of the guide run', () => {
  const before = workspaceCount();
  const program = join(project, 'guide.ts');
  writeFileSync(program, snippetsOf('docs/guide/sdk.md').replaceAll("'pyro-mcp'", `'${root}dist/index.js'`));
  const { status, stdout, stderr } = spawnSync(process.execPath, [program], { cwd: project, env, encoding: 'utf8' });
  rmSync(program);
  expect(stderr).not.toContain('Error');
  expect(status).toBe(0);
  expect(stdout).toContain('?? note.txt\n');
  expect(workspaceCount()).toBe(before);
});

it('a model with function calling works in a workspace from its creation to its end', async () => {
  const before = workspaceCount();
  const id = '{{workspace_id}}';
  const steps = [
    { tool: 'workspace_create', input: { seed_path: project } },
    { tool: 'workspace_exec', input: { workspace_id: id, command: 'echo fixed > message.txt; exit 3' } },
    { tool: 'workspace_diff', input: { workspace_id: id } },
    { tool: 'workspace_delete', input: { workspace_id: id } },
  ];
  await using model = await startModel(steps, (name) => ({ name }));
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(examples, 'function-calling.ts'), 'Mend it', '--', pyro, 'mcp', 'serve', '--project-path', project],
    { cwd: project, env: { ...env, MODEL_BASE_URL: model.url } },
  );
  expect(stdout).toBe('the script is done\n');
  expect(model.results[1]).toContain('exit_code 3');
  expect(model.results[2]).toContain('+fixed');
  expect(model.results[3]).toContain('deleted');
  expect(workspaceCount()).toBe(before);
});
