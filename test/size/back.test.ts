// A large checkout in a guest, and changes that go back into it at full size: by create, patch, push and apply.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { peakOfDaemon, renewDaemon } from '../support/daemon-peak.ts';
import { git } from '../support/host-tree.ts';
import { pyro, succeed } from '../support/pyro.ts';
import { isFullSize } from '../support/size.ts';

const tracked = isFullSize ? 100_000 : 1000;
const commits = 50;
/** New bytes of each commit, which do not compress: all of them are over 200 MB in the full size */
const bytesOfCommit = isFullSize ? 4_200_000 : 40_000;
const added = isFullSize ? 100_000 : 500;
const perFolder = 500;
const mostDaemonMib = 300;
const work = mkdtempSync(join(tmpdir(), 'back-size-'));
const checkout = join(work, 'checkout');
let id = '';

function commit(message: string): void {
  git(checkout, 'add', '-A');
  git(checkout, '-c', 'user.name=a', '-c', 'user.email=a@b', '-c', 'gc.auto=0', 'commit', '-qm', message);
}

/** Files of one line each, in folders. */
function plant(folder: string, count: number, text: string): void {
  for (let number = 0; number < count; number++) {
    const inner = join(folder, `d${Math.floor(number / perFolder)}`);
    if (number % perFolder === 0) mkdirSync(inner, { recursive: true });
    writeFileSync(join(inner, `f${number}`), `${text} ${number}\n`);
  }
}

async function inGuest(line: string): Promise<string> {
  const stdout = await succeed(['workspace', 'exec', id, '--timeout-seconds', '0', '--', line]);
  return stdout.toString('utf8').trim();
}

beforeAll(() => {
  mkdirSync(checkout);
  git(checkout, 'init', '-q');
  for (let number = 0; number < commits; number++) {
    writeFileSync(join(checkout, 'noise'), randomBytes(bytesOfCommit));
    if (number === commits - 1) {
      rmSync(join(checkout, 'noise'));
      plant(checkout, tracked, 'tracked');
    }
    commit(`commit ${number}`);
  }
}, 1_800_000);
beforeEach(renewDaemon);
afterAll(async () => {
  await pyro(['workspace', 'delete', id, '--force']);
  rmSync(work, { recursive: true, force: true });
});

it(`takes ${tracked} tracked files and the history of ${commits} commits in`, async () => {
  const made = await succeed(['workspace', 'create', '--quiet', '--seed-path', checkout, '--disk-mib', '16384']);
  id = made.toString('utf8').trim();
  expect(await inGuest('git rev-list --count HEAD; git ls-files | wc -l; git status --short | head')).toBe(
    `${commits}\n${tracked}`,
  );
  expect(await inGuest('git cat-file -s HEAD~1:noise')).toBe(`${bytesOfCommit}`);
  expect(await peakOfDaemon()).toBeLessThan(mostDaemonMib);
});

it('brings one line out of them home, and nothing else', async () => {
  await inGuest('echo more >> d1/f600');
  const stdout = await succeed(['workspace', 'diff', id]);
  expect(stdout.toString('utf8').match(/^[-+].*/gm)).toEqual(['--- a/d1/f600', '+++ b/d1/f600', '+more']);
  await succeed(['workspace', 'apply', id]);
  expect(readFileSync(join(checkout, 'd1/f600'), 'utf8')).toBe('tracked 600\nmore\n');
  expect(await peakOfDaemon()).toBeLessThan(mostDaemonMib);
});

it(`takes a patch of ${added} new files`, async () => {
  const other = join(work, 'other');
  plant(join(other, 'patched'), added, 'patched');
  git(other, 'init', '-q');
  git(other, 'add', '-A');
  const line = `git diff --cached --binary | '${new URL('../../bin/pyro', import.meta.url).pathname}' workspace patch apply ${id} --json`;
  const { stdout, stderr, status } = spawnSync('bash', ['-c', line], {
    cwd: other,
    encoding: 'utf8',
    maxBuffer: 1024 ** 3,
  });
  expect([status, stderr]).toEqual([0, '']);
  const { summary } = z.object({ summary: z.object({ added: z.number() }) }).parse(JSON.parse(stdout));
  expect(summary.added).toBe(added);
  expect(await inGuest(`find patched -type f | wc -l; cat patched/d*/f${added - 1}`)).toBe(
    `${added}\npatched ${added - 1}`,
  );
  expect(await peakOfDaemon()).toBeLessThan(mostDaemonMib);
});

it(`takes a push of ${added} new files into ${tracked}`, async () => {
  plant(join(checkout, 'pushed'), added, 'pushed');
  appendFileSync(join(checkout, 'd0/f1'), 'pushed\n');
  rmSync(join(checkout, 'd0/f2'));
  await succeed(['workspace', 'sync', 'push', id, checkout]);
  expect(await inGuest(`find pushed -type f | wc -l; cat pushed/d*/f${added - 1} d0/f1`)).toBe(
    `${added}\npushed ${added - 1}\ntracked 1\npushed`,
  );
  expect(await peakOfDaemon()).toBeLessThan(mostDaemonMib);
});
