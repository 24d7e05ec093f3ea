// The examples with a real guest: a program in Python over MCP, and a step of a CI job.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { root } from '../support/documents.ts';

const examples = join(root, 'examples');
const pyro = join(root, 'bin/pyro');
const env = { ...process.env, PATH: `${join(root, 'bin')}:${process.env['PATH']}` };
let project = '';

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'px-'));
  execFileSync('git', ['init', '-q', '-b', 'main', project]);
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
  const { workspace_id: id } = JSON.parse(
    pipe(['workspace', 'create', '--seed-path', project, '--label', 'from=test', '--json']).toString(),
  );
  try {
    pipe(['workspace', 'patch', 'apply', id], '--- a/message.txt\n+++ b/message.txt\n@@ -1 +1 @@\n-broken\n+fixed\n');
    expect(pipe(['workspace', 'file', 'read', id, 'message.txt']).toString()).toBe('fixed\n');
    const bytes = Buffer.from([0, 255, 13, 10, 128]);
    pipe(['workspace', 'file', 'write', id, 'blob.bin'], bytes);
    expect(pipe(['workspace', 'file', 'read', id, 'blob.bin'])).toEqual(bytes);
  } finally {
    pipe(['workspace', 'delete', id]);
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
