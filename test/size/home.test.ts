// Changes of a real guest at full size: by each way home, whole, within the memory that the daemon may take.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { peakOfDaemon, renewDaemon } from '../support/daemon-peak.ts';
import { git } from '../support/host-tree.ts';
import { openClient } from '../support/mcp.ts';
import { pyro, succeed, wholeEnvironment } from '../support/pyro.ts';
import { isFullSize } from '../support/size.ts';

const count = isFullSize ? 100_000 : 1500;
const ignoredCount = isFullSize ? 30_000 : 500;
/** Over what a patch can bring, in the full size */
const largeBytes = isFullSize ? 3 * 1024 ** 3 : 16 * 1024 ** 2;
const mostDaemonMib = 300;
const bin = new URL('../../bin/pyro', import.meta.url).pathname;
const pageSchema = z.object({
  content: z.tuple([z.object({ text: z.string() })]),
  structuredContent: z.unknown().optional(),
});
const work = mkdtempSync(join(tmpdir(), 'home-size-'));
const checkout = join(work, 'checkout');
let id = '';

beforeAll(async () => {
  mkdirSync(checkout);
  writeFileSync(join(checkout, 'a.txt'), 'one\n');
  writeFileSync(join(checkout, '.gitignore'), 'node_modules/\n');
  git(checkout, 'init', '-q');
  git(checkout, 'add', '-A');
  git(checkout, '-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-qm', 'seed');
  const made = await succeed(['workspace', 'create', '--quiet', '--seed-path', checkout, '--disk-mib', '16384']);
  id = made.toString('utf8').trim();
  const many = (folder: string, files: number): string =>
    `mkdir -p ${folder}; cd ${folder}; seq 1 ${files} | awk '{f="f"$1; print $1 > f; close(f)}'; cd /workspace`;
  const line = `${many('n', count)}; ${many('node_modules/p', ignoredCount)}; echo two >> a.txt`;
  await succeed(['workspace', 'exec', id, '--timeout-seconds', '0', '--', line]);
}, 1_800_000);
beforeEach(renewDaemon);
afterAll(async () => {
  await pyro(['workspace', 'delete', id]);
  rmSync(work, { recursive: true, force: true });
});

it(`lists and exports ${count} new files, and counts ${ignoredCount} that are ignored`, async () => {
  const stdout = await succeed(['workspace', 'diff', id, '--stat-only', '--json']);
  const schema = z.object({ summary: z.object({ total: z.number() }), ignored: z.object({ files: z.number() }) });
  expect(schema.parse(JSON.parse(stdout.toString('utf8')))).toMatchObject({
    summary: { total: count + 1 },
    ignored: { files: ignoredCount },
  });
  const output = join(work, 'out');
  await succeed(['workspace', 'export', id, '--output-path', output]);
  expect(readdirSync(output).sort()).toEqual(['.gitignore', 'a.txt', 'n']);
  expect(readdirSync(join(output, 'n'))).toHaveLength(count);
  expect(await peakOfDaemon()).toBeLessThan(mostDaemonMib);
});

it(`pipes a patch of ${count} new files into git apply`, async () => {
  const target = join(work, 'piped');
  git(work, 'clone', '-q', checkout, target);
  const { status, stderr } = spawnSync('bash', ['-c', `'${bin}' workspace diff ${id} | git apply --binary`], {
    cwd: target,
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([0, expect.stringContaining(`ignored: ${ignoredCount} files`)]);
  expect(readdirSync(join(target, 'n'))).toHaveLength(count);
  expect(readFileSync(join(target, 'n', `f${count}`), 'utf8')).toBe(`${count}\n`);
  expect(await peakOfDaemon()).toBeLessThan(mostDaemonMib);
});

it(`exports ${count} new files as a tar and as a patch`, async () => {
  const [tar, patch] = [join(work, 'out.tar'), join(work, 'out.patch')];
  for (const [format, path] of [
    ['tar', tar],
    ['patch', patch],
  ] as const)
    await succeed(['workspace', 'export', id, '--format', format, '--output-path', path]);
  const listing = spawnSync('bash', ['-c', `tar -tf '${tar}' | grep -c '^\\(./\\)\\?n/f'`], { encoding: 'utf8' });
  expect(listing.stdout.trim()).toBe(`${count}`);
  expect(readFileSync(patch).equals(await succeed(['workspace', 'diff', id]))).toBe(true);
  expect(await peakOfDaemon()).toBeLessThan(mostDaemonMib);
});

it('gives over MCP, page by page, exactly the bytes that the command line prints', async () => {
  const whole = await succeed(['workspace', 'diff', id]);
  await using mcp = await openClient({ command: bin, args: ['mcp', 'serve'], env: wholeEnvironment() });
  const page = { workspace_id: id, max_bytes: isFullSize ? 100_000 : 7000, entry_limit: 10 };
  const parts: string[] = [];
  for (let cursor: string | undefined, isBegun = false; !isBegun || cursor !== undefined; ) {
    const call = { name: 'workspace_diff', arguments: cursor === undefined ? page : { ...page, cursor } };
    const { structuredContent, content } = pageSchema.parse(await mcp.client.callTool(call));
    // A long one is waited for in several calls.
    if (structuredContent === undefined && content[0].text.includes('still_running')) continue;
    const { patch, next_cursor: next } = z
      .object({ patch: z.string(), next_cursor: z.string().nullish() })
      .parse(structuredContent);
    expect(content[0].text).toContain(patch);
    parts.push(patch);
    [cursor, isBegun] = [next ?? undefined, true];
  }
  expect(parts.length).toBeGreaterThan(10);
  expect(Buffer.from(parts.join('')).equals(whole)).toBe(true);
  expect(await peakOfDaemon()).toBeLessThan(mostDaemonMib);
});

it(`applies ${count} new files and one of ${largeBytes} bytes to the checkout`, async () => {
  const line = `head -c ${largeBytes} /dev/zero > large.bin`;
  await succeed(['workspace', 'exec', id, '--timeout-seconds', '0', '--', line]);
  await succeed(['workspace', 'apply', id]);
  expect(readdirSync(checkout).sort()).toEqual(['.git', '.gitignore', 'a.txt', 'large.bin', 'n']);
  expect(readdirSync(join(checkout, 'n'))).toHaveLength(count);
  expect(statSync(join(checkout, 'large.bin')).size).toBe(largeBytes);
  expect(await peakOfDaemon()).toBeLessThan(mostDaemonMib);
});
