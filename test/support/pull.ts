// Pulls into a store of the test's own, with short waits in place of a user's.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PullOutcome, pullEnvironment } from '../../src/environment/pull.ts';
import type { HttpLimits } from '../../src/environment/registry-http.ts';
import { openStore, type Store } from '../../src/environment/store.ts';
import { noProgress } from '../../src/shared/progress.ts';

export const shortLimits: HttpLimits = { answerMs: 2000, idleMs: 400, pauseMs: 10 };

export interface Puller {
  readonly folder: string;
  readonly store: Store;
  readonly pull: (name: string, limits?: HttpLimits, signal?: AbortSignal) => Promise<PullOutcome>;
  readonly remove: () => void;
}

export function createPuller(): Puller {
  const folder = mkdtempSync(join(tmpdir(), 'pyro-store-'));
  const store = openStore(folder);
  const pull = async (name: string, limits = shortLimits, signal = AbortSignal.timeout(60_000)): Promise<PullOutcome> =>
    await pullEnvironment({
      store,
      name,
      source: 'registry',
      signal,
      onProgress: noProgress,
      limits,
    });
  return { folder, store, pull, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
