// Environments on their way: a call waits for so long, then answers what goes on; the next one finds the same work.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Preparations } from '../../../../src/engine/guests/preparations.ts';
import type { PyroError } from '../../../../src/shared/errors.ts';
import { noProgress } from '../../../../src/shared/progress.ts';
import { pushImage, registryMissing, startRegistry, type TestRegistry } from '../../../support/registry.ts';
import { type Front, startFront } from '../../../support/registry-front.ts';

let registry: TestRegistry;
let front: Front;
let folder = '';
let manifests = 0;
let open: () => void = () => undefined;
const opened = new Promise<void>((resolve) => {
  open = resolve;
});

describe.skipIf(registryMissing !== undefined)(
  `an environment on its way${registryMissing === undefined ? '' : ` (skipped: ${registryMissing})`}`,
  () => {
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'pyro-prep-'));
      registry = await startRegistry();
      await pushImage(registry.host, 'image', [{ entries: [{ name: 'noise', data: randomBytes(1000) }] }]);
      front = await startFront(registry.host, async ({ url = '' }) => {
        if (url.includes('/manifests/')) manifests++;
        if (url.includes('/blobs/')) await opened;
        return false;
      });
    });
    afterAll(async () => {
      await front?.stop();
      await registry?.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    it('is told as such after the wait, goes on, and is there for a later call; all of them ask once', async () => {
      const paths = { cache: join(folder, 'c'), state: join(folder, 's'), config: join(folder, 'k'), runtime: folder };
      const preparations = new Preparations(paths, new AbortController().signal);
      const context = { signal: new AbortController().signal, onProgress: noProgress };
      const name = `${front.host}/image`;
      const early = Promise.allSettled([1, 2].map(() => preparations.environment(name, 300, context)));
      for (const outcome of await early) {
        expect(outcome.status).toBe('rejected');
        if (outcome.status === 'fulfilled') continue;
        const error: PyroError = outcome.reason;
        expect(error).toMatchObject({ code: 'environment_preparing', retryable: true });
        expect(error.message).toContain(`${name} is still being prepared`);
        expect(error.hint).toContain('the same call again');
        expect(error.details).toHaveProperty('percent');
      }
      // A daemon with nothing else to do stays for it.
      expect(preparations.count).toBe(1);
      const patient = preparations.environment(name, 60_000, context);
      open();
      expect((await patient).record.name).toContain('image');
      expect(preparations.count).toBe(0);
      const asked = manifests;
      await preparations.environment(name, 0, context);
      expect(manifests).toBe(asked);
      expect(asked).toBe(1);
    });
  },
);
