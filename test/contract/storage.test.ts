// df, clean and the questions before something is deleted, in a home whose workspaces need no guest.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { pyro } from '../support/pyro.ts';
import { type AtTerminal, atTerminal } from '../support/terminal.ts';

const executable = new URL('../../bin/pyro', import.meta.url).pathname;
const damaged = '6f1e538c0e71';
const other = 'c7cd34864680';
let home = '';
let env: Readonly<Record<string, string>> = {};

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'ph-'));
  env = { PYRO_HOME: home };
  for (const id of [damaged, other]) {
    mkdirSync(join(home, 'state/workspaces', id), { recursive: true, mode: 0o700 });
    writeFileSync(join(home, 'state/workspaces', id, 'workspace.json'), '{"a record": "of another time"}');
  }
  mkdirSync(join(home, 'cache/blobs/sha256'), { recursive: true, mode: 0o700 });
  writeFileSync(join(home, 'cache/blobs/sha256', 'a'.repeat(64)), Buffer.alloc(3 * 1024 * 1024, 1));
});
afterEach(async () => {
  await pyro(['daemon', 'stop', '--force'], { env });
  rmSync(home, { recursive: true, force: true });
});

/** At a terminal where the answer is typed. */
function answered(command: string, answer: string): AtTerminal {
  const { status, shown } = atTerminal(`${executable} ${command}`, answer, env);
  return { status, shown: shown.replaceAll('\r', '') };
}

function isThere(id: string): boolean {
  return existsSync(join(home, 'state/workspaces', id));
}

it('df tells each kind, its room, and what could go', async () => {
  const { exitCode, stdout } = await pyro(['df'], { env });
  expect(exitCode).toBe(0);
  const text = stdout.toString('utf8');
  expect(text).toMatch(/downloads +1 +3\.0 MiB/);
  expect(text).toMatch(/workspaces +2 /);
  expect(text).toMatch(/3\.0 MiB can be freed: pyro clean\n/);
  const json = JSON.parse((await pyro(['df', '--json'], { env })).stdout.toString('utf8'));
  expect(json.total_bytes).toBe(json.uses.reduce((sum: number, { bytes }: { bytes: number }) => sum + bytes, 0));
});

it('a deletion asks at a terminal when nobody knows what would go, and only a yes is one', () => {
  const no = answered(`rm ${damaged}`, 'n\n');
  expect(no.shown).toContain(`${damaged}: its contents are unknown\nDelete it? [y/N]`);
  expect(no.shown).toContain('nothing was done');
  expect(no.status).toBe(1);
  expect(answered(`rm ${damaged}`, '').status).toBe(1);
  expect(isThere(damaged)).toBe(true);
  expect(answered(`rm ${damaged}`, 'y\n').shown).toContain(`deleted ${damaged}`);
  expect(isThere(damaged)).toBe(false);
});

it('a script is not asked, and a dry run deletes nothing', async () => {
  const dry = await pyro(['rm', '--dry-run', other], { env });
  expect(dry.stdout.toString('utf8')).toContain(`would delete ${other}`);
  expect(isThere(other)).toBe(true);
});

it('clean says what it would remove and asks; with nobody to ask it needs --force', async () => {
  const blob = join(home, 'cache/blobs/sha256', 'a'.repeat(64));
  const alone = await pyro(['clean'], { env });
  expect(alone.exitCode).toBe(2);
  expect(alone.stderr).toContain('--force skips the question');
  const no = answered('clean', 'n\n');
  expect(no.shown).toMatch(/would remove layer aaaaaaaaaaaa, 3\.0 MiB\n(.*\n)*Remove all of this\? \[y\/N\]/);
  expect(no.shown).toContain(`kept ${other}: its contents are unknown`);
  expect(existsSync(blob)).toBe(true);
  const yes = await pyro(['clean', '--force'], { env });
  expect(yes.stdout.toString('utf8')).toMatch(/removed layer aaaaaaaaaaaa, 3\.0 MiB\n/);
  expect(existsSync(blob)).toBe(false);
  // Work that nobody has is left, also by force.
  expect(isThere(other)).toBe(true);
  expect(answered('clean', '').shown).toContain('freed 0 B');
});

it('config sets defaults that commands take, and tells a value that is none', async () => {
  const file = join(home, 'config/config.json');
  await pyro(['config', 'mem-mib', '2048'], { env });
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ mem_mib: 2048 });
  expect((await pyro(['config', 'mem_mib'], { env })).stdout.toString('utf8')).toMatch(/mem-mib +2048 +set/);
  const wrong = await pyro(['config', 'mem-mib', '3'], { env });
  expect(wrong.exitCode).toBe(2);
  expect(wrong.stderr).toContain('mem-mib: ');
  expect((await pyro(['config', 'memmib'], { env })).stderr).toContain('did you mean mem-mib');
  writeFileSync(file, '{"vcpu_count": 99}');
  const refused = await pyro(['run', 'debian:12', '--', 'true'], { env });
  expect(refused.exitCode).toBe(2);
  expect(refused.stderr).toContain(`${file}: vcpu-count: `);
  const listed = await pyro(['config'], { env });
  expect(listed.exitCode).toBe(0);
  expect(listed.stdout.toString('utf8')).toMatch(/^vcpu-count +99 +wrong /m);
  expect(listed.stdout.toString('utf8')).toMatch(/^vcpu-count: at most 8; pyro config vcpu-count VALUE/m);
  writeFileSync(file, '{"mem_mib": ["a"], "memory": 5}');
  expect((await pyro(['config'], { env })).stdout.toString('utf8')).toMatch(
    /^mem-mib +\["a"\] +wrong [\s\S]*^memory: there is no such setting$/m,
  );
  writeFileSync(file, '{"vcpu_count": ');
  expect((await pyro(['config'], { env })).stderr).toContain(`${file} cannot be read`);
  rmSync(file);
  expect((await pyro(['config', '--unset', 'mem-mib'], { env })).stdout.toString('utf8')).toMatch(
    /mem-mib +1024 +default/,
  );
});

it('config shows what holds where nothing is set', async () => {
  const shown = (await pyro(['config'], { env })).stdout.toString('utf8');
  expect(shown).toMatch(/^environment +debian:12 +default /m);
  expect(shown).toMatch(/^timeout-seconds +30, none at a terminal +default /m);
});

it('a setting that cannot be written is told with the name of the file', async () => {
  const blocked = join(home, 'blocked');
  mkdirSync(blocked);
  writeFileSync(join(blocked, 'config'), '');
  const { exitCode, stderr } = await pyro(['config', 'mem-mib', '2048'], { env: { PYRO_HOME: blocked } });
  expect(exitCode).toBe(1);
  expect(stderr).toContain(`${blocked}/config/config.json cannot be written to: `);
  expect(stderr).toContain(`make ${blocked}/config a folder`);
});

it('tables fit the terminal', () => {
  const lines = answered(`config; stty cols 60; ${executable} config`, '').shown.split('\n');
  const heads = lines.filter((line) => line.startsWith('SETTING'));
  expect(heads).toHaveLength(2);
  const narrow = lines.slice(lines.lastIndexOf(heads[1] ?? '') + 1).filter((line) => /set|default/.test(line));
  expect(narrow.length).toBeGreaterThan(5);
  for (const line of narrow) expect(line.length).toBeLessThanOrEqual(60);
});
