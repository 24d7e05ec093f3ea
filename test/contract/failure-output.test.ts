// A failure that is told as JSON, where nobody reads it or there is no room for it.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';

const main = new URL('../../src/main.ts', import.meta.url).pathname;
const home = mkdtempSync(join(tmpdir(), 'pyro-failure-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** What is left of the command: its exit code, and what it said on standard error. */
function run(args: readonly string[], into: string): { readonly exitCode: string; readonly stderr: string } {
  const line = `"$0" "$@" ${into}; echo "\${PIPESTATUS[0]}" >&3`;
  const { stderr, output } = spawnSync('bash', ['-c', line, process.execPath, main, ...args], {
    encoding: 'utf8',
    env: { ...process.env, PYRO_HOME: home },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  return { exitCode: (output[3] ?? '').trim(), stderr };
}

const faults = [
  ['nonsense'],
  ['workspace', 'service', 'start', 'x', 'web', '--command', 'y'],
  ['workspace', 'update'],
  ['create', '--mem-mib', '1'],
];

it.each(faults)('%s %s %s is quiet when the reader has gone', (...words) => {
  expect(run([...words, '--json'], '| :')).toEqual({ exitCode: '2', stderr: '' });
});

it.each(faults)('%s %s %s says that a full device did not take it, without a stack', (...words) => {
  const { exitCode, stderr } = run([...words, '--json'], '> /dev/full');
  expect(stderr).toMatch(/^error: standard output could not be written in full: .*\nhint: .*\n$/);
  expect(exitCode).toBe('1');
});
