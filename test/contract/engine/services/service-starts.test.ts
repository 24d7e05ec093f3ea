// Starts of services that meet: two of one name, one that is stopped half-way. No process is left that nobody can reach.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { GuestClient } from '../../../../src/agent/guest-client.ts';
import type { ServiceRecord } from '../../../../src/contract/records.ts';
import { Services } from '../../../../src/engine/services/services.ts';
import { SecretSet } from '../../../../src/secrets/secret-set.ts';
import { until } from '../../../support/fake.ts';
import { type PlainAgent, startPlainAgent } from '../../../support/plain-agent.ts';
import { serviceDraft } from '../../../support/service-draft.ts';

const { signal } = new AbortController();
const folder = mkdtempSync(join(tmpdir(), 'pyro-starts-'));
let agent: PlainAgent;
let services: Services;

beforeAll(async () => {
  agent = await startPlainAgent();
  services = await Services.open(join(folder, 'services'), join(folder, 'events.jsonl'), new SecretSet([]));
});
afterAll(async () => {
  await agent.stop();
  rmSync(folder, { recursive: true, force: true });
});

function draft(name: string): ServiceRecord {
  return serviceDraft({ name, command: 'sleep 600', cwd: agent.folder });
}

it('makes one service of two starts at once, also in the place of one that is over', async () => {
  for (let turn = 0; turn < 5; turn++) {
    const starts = ['twice', 'twice'].map((name) => services.start(agent.client, draft(name)));
    const both = await Promise.allSettled(starts);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(both.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'service_running' } });
    expect(await agent.client.processes()).toHaveLength(1);
    await services.get('twice').stop(signal);
    await until(async () => (await agent.client.processes()).length === 0);
  }
});

it('leaves no process of one that is stopped while it starts', async () => {
  const gate = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const slow = new Proxy(agent.client, {
    get: (client, key) => {
      if (key !== 'start') return Reflect.get(client, key).bind(client);
      return async (...args: Parameters<GuestClient['start']>) => {
        asked.resolve();
        await gate.promise;
        return await client.start(...args);
      };
    },
  });
  const starting = services.start(slow, draft('hasty'));
  starting.catch(() => undefined);
  await asked.promise;
  await services.get('hasty').stop(signal);
  gate.resolve();
  await expect(starting).rejects.toMatchObject({ code: 'cancelled' });
  expect(await agent.client.processes()).toEqual([]);
});
