// Every write of the daemon to the host fails once, with each error that a disk has: what was synced stays, and nothing is left half-made.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FaultHome } from '../support/fault-home.ts';
import type { FaultCode } from '../support/fault-layer.ts';
import { type StoryStep, storySteps } from '../support/fault-story.ts';
import { FaultTurns } from '../support/fault-turns.ts';
import { Random } from '../support/random-tree.ts';
import { standInObstacle } from '../support/stand-in-machine.ts';

const isSoak = process.env['PYRO_SOAK'] === '1';
const seed = Number(process.env['PYRO_SEED'] ?? Date.now() % 1_000_000);
/** Only operations whose name matches, to look at one closely */
const only = new RegExp(process.env['PYRO_ONLY'] ?? '');
const tries = Number(process.env['PYRO_ROUNDS'] ?? (isSoak ? Number.POSITIVE_INFINITY : 24));
const codes: readonly FaultCode[] = ['ENOSPC', 'EDQUOT', 'EIO', 'EROFS'];

interface Try {
  readonly step: StoryStep;
  readonly place: string;
  readonly code: FaultCode;
}

let home: FaultHome;
let turns: FaultTurns;

describe.skipIf(standInObstacle() !== undefined)('a write that fails', () => {
  beforeAll(async () => {
    home = await FaultHome.open();
    turns = new FaultTurns(home);
  });
  afterAll(async () => {
    await home[Symbol.asyncDispose]();
  });

  it(`loses nothing and leaves nothing, seed ${seed}`, { timeout: isSoak ? 7_200_000 : 180_000 }, async () => {
    const all: Try[] = [];
    for (const step of storySteps.filter(({ operation }) => only.test(operation))) {
      const { report, faults } = await turns.take(step, { kind: 'learn' });
      expect(faults, step.operation).toEqual([]);
      for (const place of report?.places ?? []) for (const code of codes) all.push({ step, place, code });
    }
    const random = new Random(seed);
    const chosen = tries >= all.length ? all : Array.from({ length: tries }, () => all[random.next(all.length)]);
    const found: string[] = [];
    let hits = 0;
    for (const each of chosen) {
      if (each === undefined) continue;
      const { step, place, code } = each;
      const { report, code: ended, faults } = await turns.take(step, { kind: 'fail', place, code });
      hits += Math.min(1, report?.hits ?? 0);
      const words = `${step.operation}, ${code} at ${place}: ended with ${ended ?? 'an answer'}`;
      for (const fault of faults) found.push(`${words}: ${fault}`);
      if (isSoak || faults.length > 0) process.stderr.write(`${words} ${faults.join('; ')}\n`);
    }
    process.stderr.write(`${chosen.length} of ${all.length} writes failed, ${hits} were met, seed ${seed}\n`);
    expect(found).toEqual([]);
    expect(hits).toBeGreaterThan(chosen.length * 0.8);
    expect(await home.close()).toEqual([]);
  });
});
