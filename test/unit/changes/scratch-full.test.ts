// No room left where changes are compared: told as that, by its place, with nothing done and nothing left behind.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { applyHome } from '../../../src/changes/apply-home.ts';
import { collectDiff } from '../../../src/changes/diff.ts';
import { exportTree } from '../../../src/changes/export.ts';
import { applyRequest } from '../../support/apply-folder.ts';
import { FakeGuestFiles, file, put, treeOf } from '../../support/fake-guest-files.ts';

const context = { signal: new AbortController().signal };
const kibibyte = 1024;
let work: string;
let workFolder: string;
let isMounted: boolean;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'full-'));
  workFolder = join(work, 'scratch');
  mkdirSync(workFolder);
  isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', workFolder]).status === 0;
});
afterEach(() => {
  if (isMounted) spawnSync('umount', [workFolder]);
  rmSync(work, { recursive: true, force: true });
});

const guest = new FakeGuestFiles(
  treeOf({ '.git/HEAD': file('x\n'), '.gitignore': file('*.log\n'), 'a/ b': file('a\n') }),
);
for (let index = 0; index < 20; index++)
  put(guest.current, `a /${index}`, file(randomBytes(30 * kibibyte).toString('base64')));
put(guest.current, 'noise.log', file('x'));

const ways: Record<string, () => Promise<void>> = {
  diff: async () => {
    await using _ = await collectDiff(guest, { workFolder }, context);
  },
  'list of a diff': async () => {
    await using _ = await collectDiff(guest, { workFolder, isStatOnly: true }, context);
  },
  apply: async () => {
    const request = applyRequest(work, { workFolder, basesFile: join(workFolder, 'bases.pack') });
    mkdirSync(request.target);
    await applyHome(guest, request, context);
  },
  'export of a patch': async () => await exported('patch'),
  'export of files': async () => await exported('files'),
};

async function exported(format: 'patch' | 'files'): Promise<void> {
  const request = { guestPath: '/workspace', outputPath: join(work, 'out'), isOverwrite: false, hasGit: false };
  await exportTree(guest, { ...request, format, hasIgnored: false, workFolder }, context);
}

describe.each(Object.keys(ways))('no room for the %s', (name) => {
  it('is told with the place', { timeout: 120_000 }, async ({ skip }) => {
    if (!isMounted) skip('only root can make a small file system to fill');
    const outcomes = new Set<string>();
    // From none to more than enough, also between what one step of it takes and the next.
    for (const room of [0, 1000, 2200, 8000]) {
      for (const each of readdirSync(workFolder)) rmSync(join(workFolder, each), { recursive: true });
      for (const each of ['home', 'out']) rmSync(join(work, each), { recursive: true, force: true });
      writeFileSync(join(workFolder, 'fill'), Buffer.alloc((8 * kibibyte - Math.min(room, 8 * kibibyte)) * kibibyte));
      const failure = await ways[name]?.().catch((error: unknown) => error);
      outcomes.add(failure === undefined ? 'done' : 'full');
      const isKept = (each: string): boolean => failure !== undefined || each !== 'bases.pack';
      expect(readdirSync(workFolder).filter(isKept)).toEqual(['fill']);
      if (failure === undefined) continue;
      expect(failure, `room for ${room} KiB`).toMatchObject({
        code: 'disk_full',
        message: expect.stringContaining(workFolder),
        hint: expect.stringContaining('nothing was changed'),
      });
      const left = readdirSync(work).filter((each) => each !== 'home');
      expect(left, `room for ${room} KiB`).toEqual(['scratch']);
      if (name === 'apply') expect(readdirSync(join(work, 'home'))).toEqual([]);
    }
    expect([...outcomes].sort()).toEqual(['done', 'full']);
  });
});
