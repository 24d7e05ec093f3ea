// Connecting a host: by its program or by its file, with everything else kept.
import { lstatSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { context, type FakeHome, launcher, makeHome, requestFor } from '../../support/fake-hosts.ts';

let fake: FakeHome;
beforeEach(() => {
  fake = makeHome();
});
afterEach(() => fake[Symbol.dispose]());

const claudeFile = '.claude.json';
const codexFile = '.codex/config.toml';
const openCodeFile = '.config/opencode/opencode.jsonc';

describe('with the program of the host', () => {
  it('adds the entry to the file of claude and asks the program afterwards, which would write all of it anew', async () => {
    fake.install('claude-code');
    const before = '{"numStartups": 7, "big": 12345678901234567890, "f": 1.0, "2": "\\u00e4"}';
    fake.write(claudeFile, before);
    const result = await fake.hosts.connect(requestFor('claude-code'), context);
    expect(fake.calls()).toEqual(['claude mcp get pyro']);
    expect(result.verification).toContain('Connected');
    expect(result.changes).toMatchObject([{ action: 'added', method: 'file', written: true }]);
    expect(fake.read(claudeFile).startsWith(before.slice(0, -1))).toBe(true);
    expect(JSON.parse(fake.read(claudeFile))).toMatchObject({
      mcpServers: { pyro: { command: launcher, args: ['mcp', 'serve'] } },
    });
    expect(readFileSync(result.changes[0]?.backup ?? '', 'utf8')).toBe(before);
  });

  it('writes for codex what its own program would lose, below the comments of the user', async () => {
    fake.install('codex');
    fake.write(codexFile, '# mine\nmodel = "m" # the good one\n');
    await fake.hosts.connect(requestFor('codex', { approve: true, flags: { mode: 'repro-fix' } }), context);
    const text = fake.read(codexFile);
    expect(text.startsWith('# mine\nmodel = "m" # the good one\n')).toBe(true);
    expect(parseToml(text)).toEqual({
      model: 'm',
      mcp_servers: {
        pyro: {
          command: launcher,
          args: ['mcp', 'serve', '--mode', 'repro-fix'],
          startup_timeout_sec: 30,
          tool_timeout_sec: 120,
          default_tools_approval_mode: 'approve',
        },
      },
    });
    expect(fake.calls()).toEqual(['codex mcp get pyro --json']);
  });

  it('does not let codex drop env and longer time limits of an entry that is there', async () => {
    fake.install('codex');
    fake.write(
      codexFile,
      '[mcp_servers.pyro]\ncommand = "old"\ntool_timeout_sec = 900\n\n[mcp_servers.pyro.env]\nKEY = "v" # why\n',
    );
    await fake.hosts.connect(requestFor('codex'), context);
    const text = fake.read(codexFile);
    expect(text).toContain('KEY = "v" # why');
    expect(parseToml(text)).toMatchObject({
      mcp_servers: { pyro: { command: launcher, tool_timeout_sec: 900, startup_timeout_sec: 30, env: { KEY: 'v' } } },
    });
    expect(fake.calls().some((line) => line.startsWith('codex mcp add'))).toBe(false);
  });

  it.each(['claude-code', 'codex', 'opencode'] as const)('changes nothing of %s the second time', async (host) => {
    fake.install(host);
    await fake.hosts.connect(requestFor(host), context);
    const again = await fake.hosts.connect(requestFor(host), context);
    expect(again.changes).toMatchObject([{ action: 'unchanged', written: false, diff: '', backup: null }]);
    expect(again.verification).not.toBeNull();
  });

  it('keeps env and time limit of a claude entry whose options change', async () => {
    fake.install('claude-code');
    const entry = { type: 'stdio', command: 'pyro', args: ['mcp', 'serve'], env: { PYRO_HOME: '/x' }, timeout: 99_000 };
    fake.write(claudeFile, JSON.stringify({ mcpServers: { pyro: entry, other: { command: 'o' } } }));
    await fake.hosts.connect(requestFor('claude-code', { flags: { profile: 'workspace-full' } }), context);
    expect(JSON.parse(fake.read(claudeFile))).toEqual({
      mcpServers: {
        pyro: { ...entry, command: launcher, args: ['mcp', 'serve', '--profile', 'workspace-full'] },
        other: { command: 'o' },
      },
    });
  });

  it('uses the scopes of claude: a file of the project, and a table of the project in the file of the user', async () => {
    fake.install('claude-code');
    const shared = await fake.hosts.connect(requestFor('claude-code', { scope: 'project' }), context);
    expect(shared.notes.join()).toContain('Pending approval');
    expect(shared.notes.join()).toContain('--npx writes a command that works for everyone');
    expect(JSON.parse(fake.read('project/.mcp.json'))).toMatchObject({ mcpServers: { pyro: { command: launcher } } });
    await fake.hosts.connect(requestFor('claude-code', { scope: 'local' }), context);
    expect(JSON.parse(fake.read(claudeFile))).toMatchObject({
      projects: { [fake.project]: { mcpServers: { pyro: { command: launcher } } } },
    });
  });

  it('fails when the host cannot start the server that was written', async () => {
    fake.install('opencode', 'broken');
    await expect(fake.hosts.connect(requestFor('opencode'), context)).rejects.toMatchObject({
      code: 'host_verify_failed',
      hint: 'find out why with: pyro host doctor opencode',
    });
  });
});

describe('without the program of the host', () => {
  it('says that the host is missing and how to get it', async () => {
    await expect(fake.hosts.connect(requestFor('codex'), context)).rejects.toMatchObject({
      code: 'host_missing',
      hint: expect.stringContaining('npm install -g @openai/codex'),
    });
    expect(readdirSync(fake.home)).not.toContain('.codex');
  });

  it('keeps comments, order and layout of a JSON file with comments', async () => {
    const before =
      '{\n  // mine\n  "theme": "dark", /* loud */\n  "mcp": {\n    "other": { "type": "local", "command": ["o"] } // other\n  },\n}\n';
    fake.write(openCodeFile, before);
    await fake.hosts.connect(requestFor('opencode'), context);
    const after = fake.read(openCodeFile);
    for (const kept of ['  // mine\n', '"theme": "dark", /* loud */', '"command": ["o"] }, // other\n'])
      expect(after).toContain(kept);
    expect(after.replace(/,( \/\/ other\n)[\s\S]*?(\n {2}},\n})/, '$1$2').replace('// other\n\n', '// other\n')).toBe(
      before,
    );
  });

  it('keeps CRLF line ends and a byte order mark', async () => {
    fake.write(codexFile, '\uFEFF# mine\r\nmodel = "m"\r\n');
    await fake.hosts.connect(requestFor('codex'), context);
    const text = fake.read(codexFile);
    expect(text.startsWith('\uFEFF# mine\r\nmodel = "m"\r\n')).toBe(true);
    expect(text.replaceAll('\r\n', '')).not.toContain('\n');
    fake.write(openCodeFile, '\uFEFF{\r\n\t"theme": "dark"\r\n}\r\n');
    await fake.hosts.connect(requestFor('opencode'), context);
    const json = fake.read(openCodeFile);
    expect(json.startsWith('\uFEFF{\r\n\t"theme": "dark",\r\n\t"mcp": {\r\n\t\t"pyro"')).toBe(true);
    expect(json.replaceAll('\r\n', '')).not.toContain('\n');
  });

  it('takes an empty file for an empty configuration', async () => {
    fake.write(claudeFile, '');
    await fake.hosts.connect(requestFor('claude-code'), context);
    expect(JSON.parse(fake.read(claudeFile))).toMatchObject({ mcpServers: { pyro: { command: launcher } } });
  });

  it('writes through a link, keeps the permission bits and leaves one backup', async () => {
    const target = fake.write('dotfiles/codex.toml', 'model = "m"\n', 0o640);
    fake.write('.codex/keep', '');
    symlinkSync(target, join(fake.home, codexFile));
    await fake.hosts.connect(requestFor('codex'), context);
    await fake.hosts.connect(requestFor('codex', { flags: { mode: 'inspect' } }), context);
    expect(lstatSync(join(fake.home, codexFile)).isSymbolicLink()).toBe(true);
    expect(statSync(target).mode & 0o777).toBe(0o640);
    const backups = readdirSync(join(fake.home, 'dotfiles')).filter((name) => name.includes('.pyro-backup-'));
    expect(backups).toHaveLength(1);
    expect(fake.read(`dotfiles/${backups[0]}`)).toContain('args = [ "mcp", "serve" ]');
  });

  it('only shows the change with dryRun, without values that look secret', async () => {
    const before = '[mcp_servers.other]\ncommand = "o"\nbearer_token = "hunter2"\n';
    fake.write(codexFile, before);
    const { changes, dry_run: isDryRun } = await fake.hosts.connect(requestFor('codex', { dry_run: true }), context);
    expect(isDryRun).toBe(true);
    expect(changes[0]).toMatchObject({ action: 'added', written: false, backup: null });
    expect(changes[0]?.diff).toContain('+[mcp_servers.pyro]');
    expect(changes[0]?.diff).not.toContain('hunter2');
    expect(fake.read(codexFile)).toBe(before);
  });

  it.each([
    [codexFile, 'codex', 'model = "m"\nx = "unfinished\n[mcp_servers.other]\ncommand = "o"\n', 2],
    [claudeFile, 'claude-code', '{\n  "a": 1\n  "b": 2\n}\n', 3],
  ] as const)(
    'refuses %s that does not parse, with the place, and does not touch it',
    async (file, host, text, line) => {
      fake.write(file, text);
      await expect(fake.hosts.connect(requestFor(host), context)).rejects.toMatchObject({
        code: 'host_config_invalid',
        message: expect.stringContaining(`line ${line}, column `),
        hint: expect.stringContaining(`pyro host repair ${host} --force`),
      });
      expect(fake.read(file)).toBe(text);
      expect(readdirSync(join(fake.home, file, '..')).filter((name) => name.includes('backup'))).toEqual([]);
    },
  );

  it('names the scopes that a host has when asked for another', async () => {
    fake.write(codexFile, '');
    await expect(fake.hosts.connect(requestFor('codex', { scope: 'project' }), context)).rejects.toMatchObject({
      code: 'usage',
      hint: 'it has: user',
    });
  });

  it('writes the form that needs no installed package, with time for a download', async () => {
    fake.write(codexFile, '');
    await fake.hosts.connect(requestFor('codex', { npx: true }), context);
    expect(parseToml(fake.read(codexFile))).toMatchObject({
      mcp_servers: { pyro: { command: 'npx', args: ['-y', 'pyro-mcp', 'mcp', 'serve'], startup_timeout_sec: 120 } },
    });
  });
});

it('prints a snippet that holds nothing of the file of the user', async () => {
  fake.write(openCodeFile, '{"theme": "dark"}');
  const { snippet, config_file: path } = await fake.hosts.printConfig(requestFor('opencode'));
  expect(path).toBe(join(fake.home, openCodeFile));
  expect(JSON.parse(snippet)).toEqual({
    mcp: { pyro: { type: 'local', command: [launcher, 'mcp', 'serve'], enabled: true, timeout: 60_000 } },
  });
});
