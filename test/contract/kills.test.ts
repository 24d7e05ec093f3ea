// Kill -9 of the daemon at every step of a call (each write, program, request to a guest and answer): the next one finds all whole.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FaultHome } from '../support/fault-home.ts';
import { type StoryStep, storySteps } from '../support/fault-story.ts';
import { FaultTurns } from '../support/fault-turns.ts';
import { Random } from '../support/random-tree.ts';
import { standInObstacle } from '../support/stand-in-machine.ts';

const isSoak = process.env['PYRO_SOAK'] === '1';
const seed = Number(process.env['PYRO_SEED'] ?? Date.now() % 1_000_000);
/** Only operations whose name matches, to look at one closely */
const only = new RegExp(process.env['PYRO_ONLY'] ?? '');
const tries = Number(process.env['PYRO_ROUNDS'] ?? (isSoak ? Number.POSITIVE_INFINITY : 12));
/** Those that change what a workspace consists of; the others are cut short in the guest tests, at random moments */
const changing = /create|reset|snapshot|export|stop|delete|sync|update/;

let home: FaultHome;
let turns: FaultTurns;

describe.skipIf(standInObstacle() !== undefined)('a daemon that is killed', () => {
  beforeAll(async () => {
    home = await FaultHome.open();
    turns = new FaultTurns(home);
  });
  afterAll(async () => {
    await home[Symbol.asyncDispose]();
  });

  it(`leaves all whole to the next one, seed ${seed}`, { timeout: isSoak ? 7_200_000 : 180_000 }, async () => {
    const all: { readonly step: StoryStep; readonly at: number }[] = [];
    for (const step of storySteps.filter(({ operation }) => changing.test(operation) && only.test(operation))) {
      const { report, faults } = await turns.take(step, { kind: 'learn' });
      expect(faults, step.operation).toEqual([]);
      for (let at = 1; at <= (report?.steps ?? 0); at++) all.push({ step, at });
    }
    const random = new Random(seed);
    const chosen = tries >= all.length ? all : Array.from({ length: tries }, () => all[random.next(all.length)]);
    const found: string[] = [];
    let kills = 0;
    for (const each of chosen) {
      if (each === undefined) continue;
      const { step, at } = each;
      const { report, code, faults } = await turns.take(step, { kind: 'kill', step: at });
      if (report === undefined) kills += 1;
      const words = `${step.operation}, killed at step ${at}: ended with ${code ?? 'an answer'}`;
      for (const fault of faults) found.push(`${words}: ${fault}`);
      if (isSoak || faults.length > 0) process.stderr.write(`${words} ${faults.join('; ')}\n`);
    }
    process.stderr.write(`${chosen.length} of ${all.length} steps tried, ${kills} kills, seed ${seed}\n`);
    expect(found).toEqual([]);
    // Some steps are background work that does not come each time.
    expect(kills).toBeGreaterThan(chosen.length * 0.6);
    expect(await home.close()).toEqual([]);
  });
});
