// The examples, as far as they need no guest.
import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { root } from '../support/documents.ts';
import { type FakeHome, openHome } from '../support/fake.ts';
import { startModel } from '../support/scripted-model.ts';

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

it('function calling offers the tools of the server, and carries calls and results between both', async () => {
  const steps = [
    { tool: 'fake_echo', input: { text: 'hello' } },
    { tool: 'fake_fail', input: { how: 'known' } },
  ];
  await using model = await startModel(steps, (name) => ({ name }));
  const server = [home.command.command, ...home.command.args, 'mcp', 'serve', '--no-project-source'];
  const { stdout, stderr } = await runExample('function-calling.ts', ['Try the tools', '--', ...server], {
    ...home.env,
    MODEL_BASE_URL: model.url,
    MODEL_NAME: 'scripted',
  });
  expect(stderr).toContain('fake_echo {"text":"hello"}');
  expect(stdout).toBe('the script is done\n');
  expect(model.offered).toEqual(['fake_echo', 'fake_wait', 'fake_seeded', 'fake_fail']);
  expect(model.results[0]).toMatch(/^hello from \d+/);
  expect(model.results[1]).toContain('make some');
});

it('the CI script is a script that bash reads', () => {
  execFileSync('bash', ['-n', join(root, 'examples/ci.sh')]);
});

async function runExample(
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ stdout: string; stderr: string }> {
  return await promisify(execFile)(process.execPath, [join(root, 'examples', name), ...args], { env });
}
