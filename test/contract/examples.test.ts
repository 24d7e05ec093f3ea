// The examples, as far as they need no guest.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { root } from '../support/documents.ts';
import { type FakeHome, openHome } from '../support/fake.ts';

let home: FakeHome;
beforeEach(() => {
  home = openHome();
});
afterEach(async () => {
  await home[Symbol.asyncDispose]();
});

it('the Python client lists the tools of a server', () => {
  const server = [home.command.command, ...home.command.args, 'mcp', 'serve', '--no-project-source'];
  const output = execFileSync('python3', [join(root, 'examples/mcp-client.py'), '--list', '--', ...server], {
    env: { ...home.env },
    encoding: 'utf8',
  });
  expect(output.split('\n')[0]).toMatch(/^fake_echo: .+/);
});

it('the CI script is a script that bash reads', () => {
  execFileSync('bash', ['-n', join(root, 'examples/ci.sh')]);
});
