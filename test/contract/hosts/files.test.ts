// Files as people and their tools leave them: connect, repair and disconnect leave every byte that is not ours, or refuse and touch nothing.
import { execFileSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { adapter as codex } from '../../../src/hosts/adapters/codex.ts';
import { carryOut, planEdit } from '../../../src/hosts/change.ts';
import type { HostName } from '../../../src/shared/host-types.ts';
import { context, type FakeHome, launcher, makeHome, requestFor } from '../../support/fake-hosts.ts';

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

const big = Array.from({ length: 12_000 }, (_, index) => `  "k${index}": "${'v'.repeat(70)}",\n`).join('');
const bigToml = Array.from({ length: 12_000 }, (_, index) => `k${index} = "${'v'.repeat(70)}" # c\n`).join('');

const json: readonly [string, string][] = [
  ['one line', '{"a":1,"mcpServers":{"x":{"command":"x"}},"mcp":{"x":{"type":"local","command":["x"]}}}'],
  [
    'CRLF, a mark and tabs',
    '\uFEFF{\r\n\t"a": 1,\r\n\t"mcpServers": {\r\n\t\t"x": {"command": "x"}\r\n\t},\r\n\t"mcp": {\r\n\t\t"x": 1\r\n\t}\r\n}\r\n',
  ],
  [
    'no last line end, repeated keys, numbers as written',
    '{\n "a": 1.0, "a": 12345678901234567890,\n "mcpServers": {"x": {}, "y": {}},\n "mcp": {"x": {}, "y": {}}\n}',
  ],
  ['unicode as written', '{\n  "ünï": "\\u00e4 ä 💥",\n  "mcpServers": { "x": {} },\n  "mcp": { "x": {} }\n}\n'],
  ['a MiB', `{\n${big}  "mcpServers": {\n    "x": {}\n  },\n  "mcp": {\n    "x": {}\n  }\n}\n`],
];
const jsonc: readonly [string, string][] = [
  ...json,
  [
    'comments everywhere',
    '// top\n{ // open\n  "mcp": { // servers\n    // about x\n    "x": { /* in it */ }, // behind x\n    // "off": {}\n  }, // behind mcp\n} // end\n// last\n',
  ],
  ['a comment in place of entries', '{\n  "mcp": {\n    // none yet\n  }\n}\n'],
  ['commas at the start', '{ "a": 1\n, "mcp": { "x": {}\n  , "y": {} /* y */\n  }\n}\n'],
];
const toml: readonly [string, string][] = [
  ['nothing but comments', '# mine\n\n# later\n'],
  ['CRLF, a mark, no last line end', '\uFEFF# mine\r\na = 1\r\n[mcp_servers."with space"]\r\ncommand = "x" # x'],
  ['an inline table', 'mcp_servers = { a = { command = "x" } } # all\n[p]\nz = 1\n'],
  ['dotted keys', 'mcp_servers.a.command = "x" # a\n[p]\nz = 1\n'],
  [
    'arrays of tables and text that looks like one',
    '[[profile]]\nn = """\n[mcp_servers.pyro]\n"""\n[[profile]] # 2\nm = [\n ["x"]\n]\n',
  ],
  [
    'tables apart',
    '[mcp_servers.a]\n  command = "x"   # odd   blanks\n\n\n# about env\n  [mcp_servers.a.env]\n  T = \'t\'\n\n# [mcp_servers.off]\n',
  ],
  ['a MiB', bigToml],
];
const nasty: readonly (readonly [HostName, string, string])[] = [
  ...json.map(([what, text]) => ['claude-code', what, text] as const),
  ...jsonc.map(([what, text]) => ['opencode', what, text] as const),
  ...toml.map(([what, text]) => ['codex', what, text] as const),
];

/** Without the blanks that an object loses with its only member, and a line end that a text gets in the end. */
function plain(text: string): string {
  return text.replaceAll(/\{\s+\}/g, '{}').trimEnd();
}

describe('every byte that is not ours', () => {
  it.each(nasty)('of %s stays: %s', async (host, _what, text) => {
    const file = fake.write(files[host], text, 0o640);
    const { changes } = await fake.hosts.connect(requestFor(host), context);
    expect(changes).toMatchObject([{ action: 'added', written: true }]);
    const connected = fake.read(files[host]);
    expect(connected.replaceAll(/\s/g, '').length).toBeGreaterThan(text.replaceAll(/\s/g, '').length);
    expect((await fake.hosts.connect(requestFor(host), context)).changes).toMatchObject([{ action: 'unchanged' }]);
    fake.write(files[host], connected.replace(launcher, '/gone/pyro'), 0o640);
    await fake.hosts.repair({ host, scope: undefined, force: false, dry_run: false }, context);
    expect(fake.read(files[host])).toBe(connected);
    const gone = await fake.hosts.disconnect({ host, scope: undefined, dry_run: false });
    expect(gone.changes).toMatchObject([{ action: 'removed', written: true, backup: expect.any(String) }]);
    expect(plain(fake.read(files[host]))).toBe(plain(text));
    expect(statSync(file).mode & 0o777).toBe(0o640);
  });

  it.each(['claude-code', 'codex', 'opencode'] as const)('of an empty file of %s', async (host) => {
    fake.install(host);
    fake.write(files[host], '');
    await fake.hosts.connect(requestFor(host), context);
    expect(fake.read(files[host])).toContain(launcher);
    await fake.hosts.disconnect({ host, scope: undefined, dry_run: false });
    expect(fake.read(files[host])).not.toContain('pyro');
  });
});

describe('disconnect', () => {
  it('takes the entry out of every scope, shows it, and does nothing the second time', async () => {
    fake.install('claude-code');
    for (const scope of ['user', 'local', 'project'] as const)
      await fake.hosts.connect(requestFor('claude-code', { scope }), context);
    const before = fake.read('.claude.json');
    const request = { host: 'claude-code', scope: undefined } as const;
    const shown = await fake.hosts.disconnect({ ...request, dry_run: true });
    expect(shown.changes).toMatchObject([
      { written: false, backup: null },
      { written: false, backup: null },
    ]);
    expect(shown.changes[0]?.diff).toContain(`-      "command": "${launcher}"`);
    expect(fake.read('.claude.json')).toBe(before);
    const one = await fake.hosts.disconnect({ ...request, scope: 'project', dry_run: false });
    expect(one.changes.map(({ config_file: file }) => file)).toEqual([join(fake.project, '.mcp.json')]);
    await fake.hosts.disconnect({ ...request, dry_run: false });
    expect(fake.read('.claude.json')).not.toContain('pyro"');
    const again = await fake.hosts.disconnect({ ...request, dry_run: false });
    expect(again).toMatchObject({ changes: [], notes: ['Claude Code has no entry for pyro; nothing was changed'] });
    expect(fake.calls().filter((line) => !line.endsWith('mcp get pyro'))).toEqual([]);
  });

  it('knows its scopes, and makes no file where there is none', async () => {
    const request = { host: 'codex', dry_run: false } as const;
    await expect(fake.hosts.disconnect({ ...request, scope: 'local' })).rejects.toMatchObject({ code: 'usage' });
    expect((await fake.hosts.disconnect({ ...request, scope: undefined })).changes).toEqual([]);
    expect(readdirSync(fake.home)).not.toContain('.codex');
  });
});

describe('a file that is not to be changed', () => {
  const ways = {
    connect: async () => await fake.hosts.connect(requestFor('codex'), context),
    disconnect: async () => await fake.hosts.disconnect({ host: 'codex', scope: undefined, dry_run: false }),
  };
  const connected = `[mcp_servers.pyro]\ncommand = "pyro"\nargs = ["mcp", "serve"]\n`;

  async function expectRefusal(way: keyof typeof ways, file: string, code: string): Promise<void> {
    const before = readFileSync(file);
    await expect(ways[way]()).rejects.toMatchObject({ code, hint: expect.any(String) });
    expect(readFileSync(file)).toEqual(before);
    expect(readdirSync(dirname(file))).toEqual(['config.toml']);
  }

  it.each(['connect', 'disconnect'] as const)('since it is read-only is refused by %s', async (way) => {
    await expectRefusal(way, fake.write(files.codex, connected, 0o440), 'path_not_writable');
  });

  it.each(['connect', 'disconnect'] as const)('since it is broken or no UTF-8 is refused by %s', async (way) => {
    await expectRefusal(way, fake.write(files.codex, `${connected}x = \n`), 'host_config_invalid');
    const file = join(fake.home, files.codex);
    writeFileSync(file, Buffer.concat([Buffer.from(`# caf`), Buffer.from([0xe9, 0x0a]), Buffer.from(connected)]));
    await expectRefusal(way, file, 'host_config_invalid');
  });

  it.each(['connect', 'disconnect'] as const)('since it is a pipe or a folder is refused by %s', async (way) => {
    const file = join(fake.home, files.codex);
    mkdirSync(file, { recursive: true });
    await expect(ways[way]()).rejects.toMatchObject({ code: 'path_not_writable' });
    rmdirSync(file);
    execFileSync('mkfifo', [file]);
    await expect(ways[way]()).rejects.toMatchObject({ code: 'path_not_writable' });
    expect(lstatSync(file).isFIFO()).toBe(true);
  });

  it('is written where its link leads, and the link stays', async () => {
    const target = fake.write('dotfiles/codex.toml', connected, 0o644);
    mkdirSync(join(fake.home, '.codex'));
    symlinkSync('../dotfiles/codex.toml', join(fake.home, files.codex));
    await ways.disconnect();
    expect(lstatSync(join(fake.home, files.codex)).isSymbolicLink()).toBe(true);
    expect(readFileSync(target, 'utf8')).toBe('');
  });

  it('in between loses nothing of what another program wrote, and is given up when it never holds still', async () => {
    const path = fake.write(files.codex, 'a = 1\n');
    const place = { scope: 'user', path, format: 'toml', table: ['mcp_servers'] } as const;
    const plan = async () => await planEdit(codex, place, (text) => `${text}mine = 1\n`);
    const first = await plan();
    writeFileSync(path, 'a = 2\n');
    await carryOut(first, plan);
    expect(readFileSync(path, 'utf8')).toBe('a = 2\nmine = 1\n');
    let round = 0;
    const restless = async () => {
      const planned = await plan();
      writeFileSync(path, `b = ${round++}\n`);
      return planned;
    };
    await expect(carryOut(await restless(), restless)).rejects.toMatchObject({ code: 'host_config_changing' });
    expect(readFileSync(path, 'utf8')).toMatch(/^b = \d\n$/);
  });
});
