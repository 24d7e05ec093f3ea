// Guests that are paused for their disk, whatever the reason: they run on beside another daemon, and are stopped by whoever wants it.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { isTrouble } from '../../../../src/machine/guest-trouble.ts';
import {
  deafTrouble,
  diskTrouble,
  fullTrouble,
  givenUpTrouble,
  limitTrouble,
  type Trouble,
} from '../../../../src/machine/trouble.ts';
import { call, createRequest } from '../../../support/engine.ts';
import { openStandInEngine, type StandInEngine } from '../../../support/stand-in-engine.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';
import { until } from '../../../support/until.ts';

const obstacle = standInObstacle();
const pauses: readonly (readonly [string, Trouble])[] = [
  ['is full', fullTrouble('/disk')],
  ['is full for its user', fullTrouble('/disk', true)],
  ['may not grow', limitTrouble()],
  ['fails', diskTrouble('/disk', 'Input/output error')],
];

it.each([
  ...pauses,
  ['is not heard from', deafTrouble(undefined, 5000)] as const,
  ...pauses.map(([why, trouble]) => [`${why}, and was given up`, givenUpTrouble(trouble, '/disk')] as const),
])('the error of one whose disk %s is told from others', (_, { error }) => {
  expect(isTrouble(error)).toBe(true);
});

describe.skipIf(obstacle !== undefined)('one whose disk', () => {
  let engine: StandInEngine;
  beforeAll(async () => {
    engine = await openStandInEngine();
  });
  afterEach(() => {
    engine.standIn.pause = undefined;
    engine.standIn.failures.clear();
  });
  afterAll(async () => await engine?.[Symbol.asyncDispose]());

  const create = async (): Promise<string> => (await engine.workspaces().create(createRequest, call())).workspace_id;
  const status = async (id: string) => await engine.workspaces().status({ workspace_id: id }, call());

  it.each(pauses)('%s runs on when the next daemon meets it', async (_, { error, reason }) => {
    const id = await create();
    const guest = engine
      .engine()
      .activity()
      .guests.find((each) => each.workspace_id === id);
    engine.standIn.failures.set('takeOver', error);
    await engine.reopen();
    await until(async () => (await status(id)).state_reason !== null);
    expect(await status(id)).toMatchObject({ state: 'paused', state_reason: reason });
    expect(engine.standIn.alive.has(guest?.pid ?? 0)).toBe(true);
    await engine.workspaces().stop({ workspace_id: id }, call());
    expect(await status(id)).toMatchObject({ state: 'stopped' });
  });

  it.each(pauses)('%s is stopped all the same', async (_, { error }) => {
    const id = await create();
    await engine.workspaces().stop({ workspace_id: id }, call());
    engine.standIn.pause = error;
    await engine.workspaces().start({ workspace_id: id }, call());
    expect((await status(id)).state).toBe('paused');
    await engine.workspaces().stop({ workspace_id: id }, call());
    expect((await status(id)).state).toBe('stopped');
  });
});
