// What a person is told while changes are read and compared.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { collectDiff } from '../../../src/changes/diff.ts';
import type { Progress } from '../../../src/shared/progress.ts';
import { FakeGuestFiles, file, treeOf } from '../../support/fake-guest-files.ts';

const work = mkdtempSync(join(tmpdir(), 'pw-'));
const context = { signal: AbortSignal.timeout(60_000) };
afterAll(() => rmSync(work, { recursive: true, force: true }));

it('tells what it does while it reads and compares, with the bytes there are, and nothing of it for a log', async () => {
  const content = Buffer.alloc(3_000_000, 'x\n');
  const guest = new FakeGuestFiles(treeOf({ a: file('old\n') }), treeOf({ a: file('new\n'), b: file(content) }));
  const told: Progress[] = [];
  const onProgress = (progress: Progress): void => void told.push(progress);
  await using diff = await collectDiff(guest, { workFolder: work }, { ...context, onProgress });
  expect(diff.changed).toBe(true);
  expect(told.every(({ isPassing }) => isPassing === true)).toBe(true);
  expect([...new Set(told.map(({ message }) => message))]).toEqual([
    'checking what changed',
    'reading 2 changes',
    'comparing',
    'making the patch',
  ]);
  expect(told.find(({ message }) => message === 'reading 2 changes')?.totalBytes).toBe(3_000_008);
});
