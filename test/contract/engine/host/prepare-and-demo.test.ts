// An environment that is made warm and proved, and the demonstration: each step once, and nothing left, also half-way.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { PyroError } from '../../../../src/shared/errors.ts';
import type { Progress } from '../../../../src/shared/progress.ts';
import { cancelEverywhere } from '../../../support/cancelling.ts';
import { call } from '../../../support/engine.ts';
import { openStandInEngine, type StandInEngine } from '../../../support/stand-in-engine.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';
import { until } from '../../../support/until.ts';

const obstacle = standInObstacle();
let engine: StandInEngine;

beforeAll(async () => {
  if (obstacle === undefined) engine = await openStandInEngine();
});
afterEach(async () => {
  if (obstacle !== undefined) return;
  engine.standIn.failures.clear();
  await expectNothingLeft();
});
afterAll(async () => await engine?.[Symbol.asyncDispose]());

const test = it.skipIf(obstacle !== undefined);

async function expectNothingLeft(): Promise<void> {
  await until(() => engine.standIn.alive.size === 0);
  const runs = join(engine.paths.state, 'runs');
  expect(existsSync(runs) ? readdirSync(runs) : []).toEqual([]);
}

test('prepare makes both kinds of saved guests ready, proves two starts, and says how long each took', async () => {
  const told: Progress[] = [];
  const result = await engine
    .engine()
    .prepare('debian:12', true, call({ onProgress: (progress) => void told.push(progress) }));
  expect(result).toMatchObject({ environment: 'debian:12', accelerator: 'tcg', built: false });
  expect(result.start_ms).toBeGreaterThan(0);
  expect(result.reset_ms).toBeGreaterThan(0);
  expect(engine.standIn.prepared).toEqual(['ready debian:12', 'bare debian:12']);
  expect(told.map(({ message }) => message)).toEqual(['proving boot and exec', 'proving reset']);
});

test('the demonstration names each step with its time, and what the guest said', async () => {
  const { accelerator, reason, steps } = await engine.engine().demo('debian:12', call());
  expect([accelerator, reason]).toEqual(['tcg', 'a stand-in']);
  expect(steps.map(({ step }) => step)).toEqual([
    'pull or build',
    'first boot',
    'template',
    'restore',
    'exec',
    'delete',
  ]);
  expect(steps.find(({ step }) => step === 'exec')?.note).toMatch(/^git version .* on Linux /);
  expect(steps[0]?.note).toMatch(/^debian:12: cached, /);
});

test.each([
  ['prepare', (context: ReturnType<typeof call>) => engine.engine().prepare('debian:12', false, context)],
  ['the demonstration', (context: ReturnType<typeof call>) => engine.engine().demo('debian:12', context)],
])('%s that is cancelled or fails leaves no guest', async (_what, act) => {
  const { cancelledCount } = await cancelEverywhere(act, async () => await expectNothingLeft());
  expect(cancelledCount).toBeGreaterThan(1);
  engine.standIn.failures.set('startFresh', new PyroError('guest_boot_failed', 'no guest today'));
  await expect(act(call())).rejects.toThrow('no guest today');
});
