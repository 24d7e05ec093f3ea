// Broken configurations: doctor finds each and names the command, repair mends it and loses nothing of the user's.
import { chmodSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseJsonc } from 'jsonc-parser';
import { parse as parseToml } from 'smol-toml';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HostReport } from '../../../src/contract/machine.ts';
import type { HostName } from '../../../src/shared/host-types.ts';
import { context, type FakeHome, launcher, makeHome } from '../../support/fake-hosts.ts';

let fake: FakeHome;
beforeEach(() => {
  fake = makeHome();
});
afterEach(() => fake[Symbol.dispose]());

const files: Readonly<Record<HostName, string>> = {
  'claude-code': '.claude.json',
  codex: '.codex/config.toml',
  opencode: '.config/opencode/opencode.jsonc',
};
const hosts = ['claude-code', 'codex', 'opencode'] as const;

/** A configuration with another server, comments where they are allowed, and an entry of ours with env. */
function configuration(
  host: HostName,
  command: readonly string[],
  more: Readonly<Record<string, unknown>> = {},
): string {
  const [program = '', ...args] = command;
  const extra = (separator: string): string =>
    Object.entries(more)
      .map(([key, value]) =>
        separator === '=' ? `${key} = ${JSON.stringify(value)}\n` : `"${key}": ${JSON.stringify(value)},\n      `,
      )
      .join('');
  switch (host) {
    case 'claude-code':
      return `{\n  "numStartups": 3,\n  "mcpServers": {\n    "other": { "command": "o", "env": { "K": "v" } },\n    "pyro": {\n      ${extra(':')}"type": "stdio",\n      "command": ${JSON.stringify(program)},\n      "args": ${JSON.stringify(args)},\n      "env": { "MINE": "1" }\n    }\n  }\n}\n`;
    case 'opencode':
      return `{\n  // mine\n  "theme": "dark",\n  "mcp": {\n    "other": { "type": "local", "command": ["o"] }, // other\n    "pyro": {\n      ${extra(':')}"type": "local",\n      "command": ${JSON.stringify(command)}, // ours\n      "timeout": 70000,\n      "environment": { "MINE": "1" }\n    }\n  }\n}\n`;
    case 'codex':
      return `# mine\nmodel = "m"\n\n[mcp_servers.other]\ncommand = "o" # other\n\n[mcp_servers.pyro]\ncommand = ${JSON.stringify(program)}\nargs = ${JSON.stringify(args)}\nstartup_timeout_sec = 30\ntool_timeout_sec = 120\n${extra('=')}\n[mcp_servers.pyro.env]\nMINE = "1" # ours\n`;
  }
}

function serversOf(host: HostName): Record<string, unknown> {
  const text = fake.read(files[host]).replace('\uFEFF', '');
  if (host === 'codex') return Object(Object(parseToml(text))['mcp_servers']);
  if (host === 'claude-code') return Object(Object(JSON.parse(text))['mcpServers']);
  return Object(Object(parseJsonc(text))['mcp']);
}

function commandOf(host: HostName): unknown {
  const entry = Object(serversOf(host)['pyro']);
  return host === 'opencode' ? entry['command'] : [entry['command'], ...entry['args']];
}

async function examine(host: HostName): Promise<HostReport> {
  const [report] = await fake.hosts.doctor([host], context);
  if (report === undefined) throw new Error('doctor gave no report');
  return report;
}

function failures({ checks }: HostReport): string[] {
  return checks.filter(({ status }) => status === 'fail').map(({ name }) => name);
}

async function repair(host: HostName, force = false): ReturnType<FakeHome['hosts']['repair']> {
  return await fake.hosts.repair({ host, scope: undefined, force, dry_run: false }, context);
}

function expectOthersKept(host: HostName): void {
  const servers = serversOf(host);
  const entry = Object(servers['pyro']);
  expect(servers['other']).toMatchObject({ command: host === 'opencode' ? ['o'] : 'o' });
  expect(host === 'opencode' ? entry['environment'] : entry['env']).toEqual({ MINE: '1' });
  const text = fake.read(files[host]);
  if (host === 'codex') for (const kept of ['# mine', '# other', '# ours']) expect(text).toContain(kept);
  if (host === 'opencode') for (const kept of ['// mine', '// other', '// ours']) expect(text).toContain(kept);
}

describe.each(hosts)('%s', (host) => {
  beforeEach(() => fake.install(host));

  it('is fine when the entry is what pyro writes, and repair has nothing to do', async () => {
    fake.write(files[host], configuration(host, [launcher, 'mcp', 'serve', '--mode', 'inspect']));
    const report = await examine(host);
    expect(report).toMatchObject({ installed: true, configured: true, scope: 'user' });
    expect(report.checks.filter(({ status }) => status !== 'ok')).toEqual([]);
    expect(report.checks.find(({ name }) => name === 'server')?.message).toMatch(/answers with \d+ tools/);
    expect((await repair(host)).changes).toMatchObject([{ action: 'unchanged', written: false, backup: null }]);
  });

  it('has a path that is not there any more', async () => {
    fake.write(files[host], configuration(host, ['/gone/pyro', 'mcp', 'serve', '--mode', 'inspect']));
    const report = await examine(host);
    expect(failures(report)).toEqual(['command']);
    expect(report.checks.find(({ status }) => status === 'fail')).toMatchObject({
      message: '/gone/pyro does not exist',
      fix: `pyro host repair ${host}`,
    });
    await repair(host);
    expect(commandOf(host)).toEqual([launcher, 'mcp', 'serve', '--mode', 'inspect']);
    expect(failures(await examine(host))).toEqual([]);
    expectOthersKept(host);
  });

  it('has options of an earlier version', async () => {
    fake.write(
      files[host],
      configuration(host, [launcher, 'mcp', 'serve', '--vm-backend', 'firecracker', '--profile=workspace-full']),
    );
    expect(failures(await examine(host))).toEqual(['shape', 'server']);
    await repair(host);
    expect(commandOf(host)).toEqual([launcher, 'mcp', 'serve', '--profile', 'workspace-full']);
    expect(failures(await examine(host))).toEqual([]);
    expectOthersKept(host);
  });

  it('starts something else under the name of pyro', async () => {
    fake.write(files[host], configuration(host, ['/bin/true']));
    expect(failures(await examine(host))).toContain('command');
    await repair(host);
    expect(commandOf(host)).toEqual([launcher, 'mcp', 'serve']);
    expectOthersKept(host);
  });

  it('has the name twice', async () => {
    const whole = configuration(host, [launcher, 'mcp', 'serve']);
    const again =
      host === 'codex'
        ? `${whole}\n[mcp_servers.pyro]\ncommand = "/gone/pyro"\n`
        : whole.replace('    "other"', `    "pyro": { "command": "/gone/pyro" },\n    "other"`);
    fake.write(files[host], again);
    const report = await examine(host);
    expect(failures(report)).toEqual([host === 'codex' ? 'syntax' : 'duplicate']);
    await repair(host, host === 'codex');
    expect(fake.read(files[host]).split(host === 'codex' ? '[mcp_servers.pyro]' : '"pyro"')).toHaveLength(2);
    expect(commandOf(host)).toEqual([launcher, 'mcp', 'serve']);
    expect(failures(await examine(host))).toEqual([]);
    const servers = serversOf(host);
    expect(servers['other']).toBeDefined();
  });

  it('has a file that does not parse, in the entry of pyro', async () => {
    const whole = configuration(host, [launcher, 'mcp', 'serve']);
    const broken =
      host === 'codex'
        ? whole.replace('tool_timeout_sec = 120', 'tool_timeout_sec = ')
        : whole.replace(/,(\s*(?:\/\/ ours)?\s*"(?:args|timeout)")/, '$1');
    expect(broken).not.toBe(whole);
    fake.write(files[host], broken);
    const report = await examine(host);
    expect(failures(report)).toEqual(['syntax']);
    expect(report.checks.find(({ name }) => name === 'syntax')).toMatchObject({
      message: expect.stringMatching(/line \d+, column \d+/),
      fix: `pyro host repair ${host} --force`,
    });
    await expect(repair(host)).rejects.toMatchObject({ code: 'host_config_invalid' });
    expect(fake.read(files[host])).toBe(broken);
    const { changes } = await repair(host, true);
    expect(changes).toMatchObject([{ action: 'mended', written: true }]);
    expect(readFileSync(changes[0]?.backup ?? '', 'utf8')).toBe(broken);
    expect(failures(await examine(host))).toEqual([]);
    const servers = serversOf(host);
    expect(servers['other']).toMatchObject({ command: host === 'opencode' ? ['o'] : 'o' });
    expect(Object(servers['pyro'])[host === 'opencode' ? 'environment' : 'env']).toEqual({ MINE: '1' });
  });

  it('has a file broken where only a person knows what was meant', async () => {
    const whole = configuration(host, [launcher, 'mcp', 'serve']);
    const broken = `<<<<<<< mine\n${whole}=======\n${whole}>>>>>>> theirs\n`;
    fake.write(files[host], broken);
    await expect(repair(host, true)).rejects.toMatchObject({ code: 'host_config_invalid' });
    expect(fake.read(files[host])).toBe(broken);
  });

  it('has a file that everybody may write', async () => {
    const path = fake.write(files[host], configuration(host, [launcher, 'mcp', 'serve']), 0o666);
    expect(failures(await examine(host))).toEqual(['permission']);
    const { notes } = await repair(host);
    expect(notes.join()).toContain('it had 666');
    expect(statSync(path).mode & 0o777).toBe(0o664);
    chmodSync(path, 0o400);
    expect(failures(await examine(host))).toEqual(['permission']);
    await repair(host);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(failures(await examine(host))).toEqual([]);
  });

  it('has line ends and a byte order mark of another system', async () => {
    fake.write(files[host], `\uFEFF${configuration(host, ['/gone/pyro', 'mcp', 'serve']).replaceAll('\n', '\r\n')}`);
    await repair(host);
    const text = fake.read(files[host]);
    expect(text.startsWith('\uFEFF')).toBe(true);
    expect(text.replaceAll('\r\n', '')).not.toContain('\n');
    expect(commandOf(host)).toEqual([launcher, 'mcp', 'serve']);
    expectOthersKept(host);
  });

  it('is not connected', async () => {
    fake.write(files[host], host === 'codex' ? 'model = "m"\n' : '{}\n');
    const report = await examine(host);
    expect(failures(report)).toEqual([]);
    expect(report.configured).toBe(false);
    const connect = report.checks.find(({ name }) => name === 'configured')?.fix ?? '';
    await expect(repair(host)).rejects.toMatchObject({
      code: 'host_not_configured',
      hint: expect.stringContaining(connect),
    });
  });

  it('only shows what repair would do with a dry run', async () => {
    const before = configuration(host, ['/gone/pyro', 'mcp', 'serve']);
    fake.write(files[host], before);
    const { changes } = await fake.hosts.repair({ host, scope: undefined, force: false, dry_run: true }, context);
    expect(changes[0]?.diff).toContain('-');
    expect(changes[0]?.diff).toContain(launcher);
    expect(fake.read(files[host])).toBe(before);
    expect(readdirSync(join(fake.home, files[host], '..')).filter((name) => name.includes('backup'))).toEqual([]);
  });
});

it.each(['codex', 'opencode'] as const)('finds an entry of %s that is disabled or too short of time', async (host) => {
  fake.install(host);
  const limit = host === 'codex' ? 'tool_timeout_sec = 120' : '"timeout": 70000';
  const text = configuration(host, [launcher, 'mcp', 'serve'], { enabled: false });
  expect(text).toContain(limit);
  fake.write(files[host], text.replace(limit, limit.replace(/\d+/, '5')));
  const report = await examine(host);
  expect(failures(report)).toEqual(['enabled']);
  expect(report.checks.find(({ name }) => name === 'timeouts')?.status).toBe('warn');
  await repair(host);
  expect((await examine(host)).checks.filter(({ status }) => status !== 'ok')).toEqual([]);
  expectOthersKept(host);
});

it('names the entries of claude that shadow each other, and keeps the one that is asked for', async () => {
  fake.install('claude-code');
  const entry = { command: launcher, args: ['mcp', 'serve'] };
  fake.write(
    '.claude.json',
    JSON.stringify(
      {
        mcpServers: { pyro: entry },
        projects: { [fake.project]: { mcpServers: { pyro: entry, mine: { command: 'm' } } } },
      },
      null,
      2,
    ),
  );
  const duplicate = (await examine('claude-code')).checks.find(({ name }) => name === 'duplicate');
  expect(duplicate).toMatchObject({ status: 'warn', fix: 'pyro host repair claude-code --scope user' });
  await fake.hosts.repair({ host: 'claude-code', scope: 'user', force: false, dry_run: false }, context);
  expect(JSON.parse(fake.read('.claude.json'))).toMatchObject({
    mcpServers: { pyro: entry },
    projects: { [fake.project]: { mcpServers: { mine: { command: 'm' } } } },
  });
  expect((await examine('claude-code')).checks.map(({ name }) => name)).not.toContain('duplicate');
});

it('says why a server does not answer', async () => {
  fake.install('codex');
  const broken = fake.write(
    'broken/pyro',
    '#!/bin/sh\n[ "$1" = --version ] && exit 0\necho "no such device" >&2\nexit 3\n',
    0o755,
  );
  fake.write(files.codex, configuration('codex', [broken, 'mcp', 'serve']));
  const server = (await examine('codex')).checks.find(({ name }) => name === 'server');
  expect(server).toMatchObject({ status: 'fail', message: expect.stringContaining('no such device') });
});
