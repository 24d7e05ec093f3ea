// The commands as a person types them: flags, exit codes, errors as JSON.
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeHome, launcher, makeHome } from '../../support/fake-hosts.ts';
import { pyro } from '../../support/pyro.ts';

let fake: FakeHome;
beforeEach(() => {
  fake = makeHome();
});
afterEach(() => fake[Symbol.dispose]());

describe('pyro host', () => {
  it('takes the options of the server, also the one whose name begins with no', async () => {
    fake.install('codex');
    const flags = ['--mode', 'inspect', '--environment', 'auto', '--no-project-source'];
    const network = ['--network-policy', 'egress', '--allow', 'a.example', '--allow', 'b.example:8080'];
    const { exitCode, stdout } = await pyro(['host', 'connect', 'codex', ...network, ...flags, '--json']);
    expect(exitCode).toBe(0);
    const words = ['mcp', 'serve', '--mode', 'inspect', '--no-project-source', '--environment', 'auto', ...network];
    expect(JSON.parse(stdout.toString())).toMatchObject({
      host: 'codex',
      dry_run: false,
      changes: [{ action: 'added', method: 'file', server_command: [launcher, ...words] }],
      verification: 'known and enabled',
    });
    expect(parseToml(fake.read('.codex/config.toml'))).toMatchObject({ mcp_servers: { pyro: { args: words } } });
  });

  it('does not switch the project off unless told to', async () => {
    fake.install('codex');
    const { stdout } = await pyro(['host', 'connect', 'codex', '--dry-run', '--json']);
    expect(JSON.parse(stdout.toString())).toMatchObject({ changes: [{ server_command: [launcher, 'mcp', 'serve'] }] });
  });

  it('exits with 1 and a code when the host is missing', async () => {
    const { exitCode, stdout } = await pyro(['host', 'connect', 'codex', '--json']);
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout.toString())).toMatchObject({
      error: { code: 'host_missing', details: { host: 'codex' } },
    });
  });

  it.each([
    [['host', 'connect', 'vscode'], 'claude-code, codex, opencode'],
    [['host', 'connect', 'codex', '--mode', 'inspect', '--profile', 'vm-run'], 'give a profile or a mode'],
    [['host', 'connect', 'claude-code', '--approve'], '--approve is for codex'],
    [['host', 'print-config', 'codex', '--write'], 'pyro host connect codex'],
  ])('exits with 2 for %j', async (args, words) => {
    const { exitCode, stderr } = await pyro(args);
    expect(stderr).toContain(words);
    expect(exitCode).toBe(2);
  });

  it('prints a snippet alone on standard output, and merges it where the host is not installed yet', async () => {
    const printed = await pyro(['host', 'print-config', 'opencode']);
    const snippet: unknown = JSON.parse(printed.stdout.toString());
    expect(printed.stderr).toContain('.config/opencode/opencode.jsonc');
    expect((await pyro(['host', 'print-config', 'opencode', '--write'])).exitCode).toBe(0);
    expect(JSON.parse(fake.read('.config/opencode/opencode.jsonc'))).toEqual(snippet);
  });

  it('exits with 0 from doctor when nothing is connected, with 1 when what is connected does not work', async () => {
    expect((await pyro(['host', 'doctor'])).exitCode).toBe(0);
    fake.install('codex');
    expect((await pyro(['host', 'connect', 'codex'])).exitCode).toBe(0);
    expect((await pyro(['host', 'doctor', 'codex'])).exitCode).toBe(0);
    const file = join(fake.home, '.codex/config.toml');
    writeFileSync(file, readFileSync(file, 'utf8').replace(launcher, '/gone/pyro'));
    const broken = await pyro(['host', 'doctor']);
    expect(broken.exitCode).toBe(1);
    expect(broken.stdout.toString()).toContain(
      'FAIL  command: /gone/pyro does not exist\n      fix: pyro host repair codex',
    );
    const repaired = await pyro(['host', 'repair', 'codex']);
    expect(repaired.exitCode).toBe(0);
    expect(repaired.stdout.toString()).toContain(`+command = "${launcher}"`);
    expect((await pyro(['host', 'doctor', 'codex'])).exitCode).toBe(0);
  });

  it('takes the entry out again, and says so when there is none', async () => {
    fake.write('.codex/config.toml', '# mine\n');
    expect((await pyro(['host', 'connect', 'codex'])).exitCode).toBe(0);
    const shown = await pyro(['host', 'disconnect', 'codex', '--dry-run']);
    expect(shown.stdout.toString()).toContain('codex: would be removed (scope user, ');
    const removed = await pyro(['host', 'disconnect', 'codex']);
    expect(removed).toMatchObject({ exitCode: 0 });
    expect(removed.stdout.toString()).toContain('-[mcp_servers.pyro]');
    expect(fake.read('.codex/config.toml')).toBe('# mine\n');
    const again = await pyro(['host', 'disconnect', 'codex']);
    expect(again).toMatchObject({ exitCode: 0 });
    expect(again.stdout.toString()).toBe('note: Codex has no entry for pyro; nothing was changed\n');
  });

  it('names the Node as well where an installed package is started by one that only some shells find', async () => {
    const dist = new URL('../../../dist', import.meta.url).pathname;
    const folder = join(fake.home, 'lib/node_modules/pyro-mcp');
    cpSync(dist, join(folder, 'dist'), { recursive: true, filter: (path) => !path.startsWith(join(dist, 'guest')) });
    cpSync(join(dist, '../package.json'), join(folder, 'package.json'));
    symlinkSync('../lib/node_modules/pyro-mcp/dist/main.js', join(fake.home, 'bin/pyro'));
    fake.write('.codex/config.toml', '');
    const installed = join(fake.home, 'bin/pyro');
    const run = (...args: string[]) => spawnSync(process.execPath, [installed, 'host', ...args], { encoding: 'utf8' });
    expect(run('connect', 'codex')).toMatchObject({ status: 0 });
    expect(parseToml(fake.read('.codex/config.toml'))).toMatchObject({
      mcp_servers: { pyro: { command: process.execPath, args: [installed, 'mcp', 'serve'] } },
    });
    expect(run('doctor', 'codex').stdout).toContain(`ok    command: ${installed}`);
    rmSync(installed);
    expect((await pyro(['host', 'doctor', 'codex'])).stdout.toString()).toContain(
      `FAIL  command: ${installed} does not exist`,
    );
  });
});
