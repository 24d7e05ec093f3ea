// A whole story with secrets, told by the real executable and its daemon: afterwards they stand in no result and in no file.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { killNow } from '../support/kill.ts';
import { nothing, openRealHome, type RealHome } from '../support/real-home.ts';
import { filesWith, formsIn, formsOf } from '../support/secret-search.ts';

const value = 'T0p/s3cr3t+"\\quoted"&ü?=';
const fromFile = 'file secret 000111 % 7f';
const forms = [...formsOf(value), ...formsOf(fromFile)];
/** Disks of guests: what programs of a guest write into files is there, and only there */
const disks = ['*.qcow2'];
const startedMs = Date.now();

let home: RealHome;
let folder = '';
let id = '';
/** All that was shown to anybody so far */
let shown = '';

interface Result {
  readonly code: number | null;
  readonly stdout: string;
  /** With standard error */
  readonly text: string;
}

async function pyro(args: readonly string[], input: string | Buffer = ''): Promise<Result> {
  const child = home.start(args);
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(input);
  let [stdout, stderr] = ['', ''];
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString('utf8');
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('utf8');
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  const text = stdout + stderr;
  shown += text;
  return { code, stdout, text };
}

/** A command about the workspace, with its result both as text and as data. */
async function workspace(words: string, args: readonly string[] = [], input: string | Buffer = ''): Promise<Result> {
  return await pyro(['workspace', ...words.split(' '), id, ...args], input);
}

async function exec(command: string, ...options: readonly string[]): Promise<Result> {
  return await workspace('exec', [...options, '--', command]);
}

/** Where a secret is found: nowhere, but in the disks where a guest has written it. */
function leaks(exclude: readonly string[]): string[] {
  const kept = ['state', 'config', 'run'].flatMap((name) => filesWith(forms, join(home.folder, name), { exclude }));
  // What was in the cache before knows nothing of this story.
  return [...kept, ...filesWith(forms, join(home.folder, 'cache'), { exclude, sinceMs: startedMs })];
}

beforeAll(async () => {
  home = openRealHome();
  folder = mkdtempSync(join(tmpdir(), 'pyro-secret-'));
  writeFileSync(join(folder, 'key'), `${fromFile}\n`, { mode: 0o600 });
  const secrets = ['--empty', '--secret', 'TOKEN=-', '--secret-file', `KEY=${join(folder, 'key')}`];
  const created = await pyro(['workspace', 'create', 'debian:12', ...secrets, '--json'], `${value}\n`);
  const schema = z.object({ workspace_id: z.string(), secrets: z.array(z.looseObject({ name: z.string() })) });
  const { workspace_id: made, secrets: names } = schema.parse(JSON.parse(created.stdout));
  expect(names.map(({ name }) => name).sort()).toEqual(['KEY', 'TOKEN']);
  id = made;
});

afterAll(async () => {
  const remains = await home.close();
  rmSync(folder, { recursive: true, force: true });
  expect(remains).toEqual(nothing);
  // What was kept in memory between daemons went with the workspace.
  const memory = join('/dev/shm', `pyro-${userInfo().uid}`);
  const stores = readdirSync(memory, { recursive: true, encoding: 'utf8' });
  expect(stores.filter((name) => name.endsWith(`${id}.json`))).toEqual([]);
});

const encoded = {
  plain: 'printf "%s\\n" "$T"',
  base64: 'printf %s "$T" | base64',
  'base64, a byte in': 'printf "x%s" "$T" | base64',
  'base64, two bytes in': 'printf "xy%s and more" "$T" | base64',
  url: `printf %s "$T" | perl -pe 's/([^\\w.~-])/sprintf "%%%02X", ord $1/ge'`,
  json: `printf %s "$T" | perl -pe 's/(["\\\\])/\\\\$1/g'`,
  hex: 'printf %s "$T" | od -An -v -tx1 | tr -d " \\n"',
};

// One story: each step goes on where the one before has stopped, so they keep their order.
describe('a secret', { shuffle: false }, () => {
  it('goes to commands, and comes out of none in any form', async () => {
    const check = '[ "$(cat /run/pyro-secrets/TOKEN)" = "$T" ] && printf %s "$T" | wc -c; findmnt -no FSTYPE -T /run';
    expect((await exec(check, '--secret-env', 'TOKEN=T')).text).toBe(`${Buffer.byteLength(value)}\ntmpfs\n`);
    for (const secret of ['TOKEN', 'KEY']) {
      for (const [name, command] of Object.entries(encoded)) {
        expect((await exec(command, '--secret-env', `${secret}=T`)).text, name).toMatch(/\*{6}/);
      }
    }
    const failed = await exec(`echo '${fromFile}' >&2; exit 3`);
    expect(failed).toMatchObject({ code: 3, text: expect.stringMatching(/^\*+\n$/) });
  });

  it('goes to shells, also typed, and to services, whose logs are clean after each restart', async () => {
    const opened = await workspace('shell open', ['--secret-env', 'TOKEN=T', '--env', 'PS1=$ ', '--json']);
    const { shell_id: shell } = z.object({ shell_id: z.string() }).parse(JSON.parse(opened.stdout));
    for (const line of [...Object.values(encoded), `echo '${fromFile}'`, 'echo "ov""er"']) {
      await workspace('shell write', [shell, '--input', line]);
    }
    const output = await workspace('shell read', [shell, '--plain', '--wait-for', 'over', '--wait-seconds', '120']);
    expect(output.text.match(/\*{6}/g)?.length).toBeGreaterThan(6);
    await workspace('shell read', [shell, '--screen']);
    const loop = `${encoded.plain}; ${encoded.base64} >&2; ${encoded.url}; sleep 0.5; exit 1`;
    const options = ['--secret-env', 'KEY=T', '--restart-policy', 'always'];
    expect((await workspace('service start', ['leaky', ...options, '--', loop])).code).toBe(0);
    await expect
      .poll(async () => (await workspace('service status', ['leaky'])).text, { timeout: 120_000, interval: 500 })
      .toMatch(/restarted [2-9]/);
    expect((await workspace('service logs', ['leaky'])).text).toMatch(/(?:\*{22}\n[\s\S]*){2}/);
  });

  it('is in no error', async () => {
    const refused = [
      await exec('true', '--cwd', `/no/${fromFile}`),
      await exec('true', '--secret-env', fromFile),
      await exec('true', '--secret-env', `TOKEN=${fromFile}`),
      await workspace('file read', [fromFile]),
      await workspace('file write', ['name', '--old-text', value, '--new-text', 'x']),
      await workspace('patch apply', [], `--- a/x\n+++ b/x\n@@ -1 +1 @@\n-${value}\n+${fromFile}\n`),
      await workspace('service start', ['bad', '--secret-env', fromFile, '--', 'true']),
      await workspace('service start', ['kept', '--env', `A=${fromFile}`, '--', 'true']),
      await workspace('service start', ['kept', '--', `echo '${fromFile}'`]),
      await workspace('shell open', ['--secret-env', fromFile]),
      await workspace('shell open', ['--cwd', `/no/${fromFile}`]),
    ];
    for (const { code, text } of refused) {
      expect(text).toMatch(/^error: /m);
      expect([1, 2]).toContain(code);
    }
    expect(refused.filter(({ text }) => text.includes('contains the value of a secret'))).toHaveLength(3);
  });

  it('outlives the daemon and the guest: what runs then has it, and nothing else', async () => {
    killNow(await home.daemonPid());
    expect((await exec('printf %s "$T"', '--secret-env', 'TOKEN=T')).stdout).toMatch(/^\*+$/);
    const { text } = await workspace('service status', ['leaky']);
    const restarts = Number(/restarted (\d+)/.exec(text)?.[1]);
    await expect
      .poll(async () => (await workspace('service status', ['leaky'])).text, { timeout: 120_000, interval: 500 })
      .not.toContain(`restarted ${restarts} time`);
    await workspace('stop');
    await workspace('start');
    await expect
      .poll(async () => (await workspace('service logs', ['leaky'])).text, { timeout: 120_000, interval: 500 })
      .toMatch(/\*{22}\n/);
    await workspace('service stop', ['leaky']);
  });

  it('is in no file of the host, and in no disk of the guest, as long as the guest writes it into none', async () => {
    await exec('echo story-mark-of-a-file > kept; sync');
    await workspace('diff');
    for (const words of ['summary', 'logs', 'status', 'service list', 'shell list', 'file list', 'network'])
      await workspace(words);
    await pyro(['workspace', 'list', '--json']);
    expect(leaks([])).toEqual([]);
    expect(formsIn(shown, forms)).toEqual([]);
    // What is there is found, in records as in disks, so that nothing found means something.
    const found = filesWith(['story-mark-of-a-file'], join(home.folder, 'state'));
    expect(found.some((path) => path.endsWith('.qcow2'))).toBe(true);
    expect(found.some((path) => path.includes('/commands/'))).toBe(true);
  });

  it('that the guest writes into its files stands in its disk alone, and leaves it in no way', async () => {
    await exec('printf %s "$T" > leak; ln -s "$T" link; mkdir d; echo clean > d/f', '--secret-env', 'KEY=T');
    await workspace('file write', ['typed'], value);
    expect((await workspace('file read', ['leak'])).text).toMatch(/^\*+$/);
    await workspace('file list', ['--recursive', '--json']);
    for (const options of [['--stat-only'], ['--stat-only', '--system'], ['d']]) {
      expect((await workspace('diff', options)).code).toBe(0);
    }
    expect((await workspace('diff')).text).toContain('these files contain the value of a secret: leak, link, typed');
    for (const format of ['files', 'tar', 'patch']) {
      const { code, text } = await workspace('export', ['--format', format, '--output-path', join(folder, format)]);
      expect({ code, text }).toEqual({
        code: 1,
        text: expect.stringContaining('these files contain the value of a secret'),
      });
    }
    await workspace('summary');
    await workspace('stop');
    expect((await workspace('disk read', ['leak'])).text).toMatch(/^\*+$/);
    await workspace('disk list', ['--recursive']);
    const tar = await workspace('disk export', ['--format', 'tar', '--output-path', join(folder, 'tree.tar')]);
    expect(tar.text).toContain('these files contain the value of a secret');
    for (const format of ['raw', 'qcow2']) {
      const { code, text } = await workspace('disk export', [
        '--format',
        format,
        '--output-path',
        join(folder, format),
      ]);
      expect({ code, text }).toEqual({
        code: 1,
        text: expect.stringContaining('its disk may hold them in any form'),
      });
    }
    expect(readdirSync(folder)).toEqual(['key']);
    expect(leaks(disks)).toEqual([]);
    expect(formsIn(shown, forms)).toEqual([]);
    // Two files and a link: the disk of the guest does hold them.
    expect(leaks([]).every((path) => path.endsWith('.qcow2'))).toBe(true);
    expect(leaks([]).length).toBeGreaterThan(0);
  });
});
