// What an apply into a folder of the host needs, all of it below one folder of the test's own, and the guest it comes from.
import { join } from 'node:path';
import type { ApplyRequest } from '../../src/changes/apply-home.ts';
import { FakeGuestFiles, type FakeTree } from './fake-guest-files.ts';
import { writeTree } from './host-tree.ts';

/** An apply of everything into the folder `home` below `work`, but for what is said otherwise. */
export function applyRequest(work: string, changes: Partial<ApplyRequest> = {}): ApplyRequest {
  return {
    target: join(work, 'home'),
    workFolder: join(work, 'lab'),
    basesFile: join(work, 'bases.pack'),
    notes: join(work, 'notes'),
    hasIgnored: false,
    isCheck: false,
    isThreeWay: false,
    applied: new Map(),
    ...changes,
  };
}

/** A guest that has changed a seed, which stands in the folder `home` below `work`. */
export function guestWithSeed(work: string, seed: FakeTree, change: (tree: FakeTree) => void): FakeGuestFiles {
  const now: FakeTree = new Map(seed);
  change(now);
  writeTree(join(work, 'home'), seed);
  return new FakeGuestFiles(seed, now);
}

/** `line 0`, `line 1` and so on. */
export function numberedLines(count: number): string {
  return Array.from({ length: count }, (_, index) => `line ${index}\n`).join('');
}
