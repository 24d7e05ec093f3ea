// The clock of the host is set a year on and back while the daemon works: no wait gets longer or shorter, and nobody counts as idle.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { FaultHome } from '../support/fault-home.ts';
import { standInObstacle } from '../support/stand-in-machine.ts';

const yearMs = 365 * 24 * 3600 * 1000;
async function setClock(shiftMs: number): Promise<void> {
  await using home = await FaultHome.open();
  const id = await home.create({ ttl_seconds: 60 });
  const startedAt = performance.now();
  const waiting = home.call('workspace.exec', { workspace_id: id, command: 'sleep 30', wait_seconds: 3 });
  const service = { workspace_id: id, service_name: 's', command: 'sleep 100', ready_file: '/workspace/ready' };
  const starting = home.call('workspace.service.start', { ...service, ready_timeout_seconds: 600, wait_seconds: 3 });
  // The moment is what is tried: both calls wait.
  await sleep(1000);
  await home.order({ kind: 'clock', shiftMs });
  expect(await waiting).toMatchObject({ running: true });
  await starting;
  const tookMs = performance.now() - startedAt;
  expect(tookMs).toBeGreaterThan(2900);
  // A machine that is busy is no year late.
  expect(tookMs).toBeLessThan(90_000);
  const view = await home.call('workspace.service.status', { workspace_id: id, service_name: 's' });
  expect(JSON.stringify(view)).toContain('starting');
  // Longer than a turn of who looks for idle ones.
  await sleep(Math.max(0, 7000 - (performance.now() - startedAt)));
  expect((await home.list()).get(id)).toBe('started');
  await home.call('workspace.snapshot.create', { workspace_id: id, snapshot_name: 'one' });
  await home.call('workspace.reset', { workspace_id: id, snapshot: 'one' });
  await home.call('workspace.stop', { workspace_id: id });
  await home.call('workspace.start', { workspace_id: id });
  expect(await home.sh(id, 'echo there')).toBe('there\n');
  expect(await home.close()).toEqual([]);
}

it.skipIf(standInObstacle() !== undefined)('changes no wait and stops no workspace', async () => {
  await Promise.all([setClock(yearMs), setClock(-yearMs)]);
});
