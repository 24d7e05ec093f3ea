// A pull whose writes fail, each in its turn, and that is killed at each of its steps: the next one has the whole image, and nothing is left.
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { sweepStore } from '../../src/environment/prune.ts';
import { pullEnvironment } from '../../src/environment/pull.ts';
import { openStore, verifyEnvironment } from '../../src/environment/store.ts';
import { noProgress } from '../../src/shared/progress.ts';
import type { FaultCode, FaultOrder } from '../support/fault-layer.ts';
import { shortLimits } from '../support/pull.ts';
import { Random } from '../support/random-tree.ts';
import { pushImage, registryMissing, startRegistry, type TestRegistry } from '../support/registry.ts';

const isSoak = process.env['PYRO_SOAK'] === '1';
const seed = Number(process.env['PYRO_SEED'] ?? Date.now() % 1_000_000);
const tries = isSoak ? Number.POSITIVE_INFINITY : 8;
const codes: readonly FaultCode[] = ['ENOSPC', 'EIO', 'EROFS'];
const program = new URL('../support/fault-pull.ts', import.meta.url).pathname;
const layer = new URL('../support/fault-layer.ts', import.meta.url).href;
const reportSchema = z.object({ places: z.array(z.string()), steps: z.number(), hits: z.number() });
const codeSchema = z.object({ code: z.string().nullable() });

let registry: TestRegistry;
let folder: string;
let name: string;

interface Outcome {
  /** Undefined for a pull that was killed */
  readonly code: string | null | undefined;
  readonly report: z.infer<typeof reportSchema> | undefined;
}

async function pullWith(cache: string, order: FaultOrder): Promise<Outcome> {
  const env = { ...process.env, TMPDIR: join(cache, 'tmp'), NODE_COMPILE_CACHE: join(folder, 'compiled') };
  mkdirSync(env.TMPDIR, { recursive: true });
  const child = fork(program, [cache, name], {
    env,
    execArgv: ['--import', layer],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const told: unknown[] = [];
  const ended = once(child, 'exit');
  child.on('message', (message) => told.push(message));
  child.send(order);
  // The answer to the order comes first, then the end of the pull.
  while (told.length < 2 && child.exitCode === null && child.signalCode === null)
    await Promise.race([once(child, 'message'), ended]);
  if (child.exitCode !== null || child.signalCode !== null) return { code: undefined, report: undefined };
  child.send({ kind: 'learn' });
  while (told.length < 3)
    await Promise.race([once(child, 'message'), ended.then(() => Promise.reject(new Error('it has ended')))]);
  child.disconnect();
  await ended;
  return { code: codeSchema.parse(told[1]).code, report: reportSchema.parse(told[2]) };
}

/** What does not hold after such a pull. */
async function look(cache: string, code: Outcome['code']): Promise<string[]> {
  const faults = code === 'internal' ? ['internal error'] : [];
  const store = openStore(cache);
  await sweepStore(store, AbortSignal.timeout(10_000));
  const left = existsSync(join(cache, 'environments')) ? readdirSync(join(cache, 'environments')) : [];
  faults.push(...left.filter((each) => !/^[0-9a-f]{64}$/.test(each)).map((each) => `left: ${each}`));
  if (code !== undefined) faults.push(...readdirSync(join(cache, 'tmp')).map((each) => `left: ${each}`));
  const request = { store, name, source: 'registry', limits: shortLimits } as const;
  await pullEnvironment({ ...request, signal: AbortSignal.timeout(60_000), onProgress: noProgress });
  await verifyEnvironment(store, name);
  return faults;
}

describe.skipIf(registryMissing !== undefined)('a pull in trouble', () => {
  beforeAll(async () => {
    registry = await startRegistry();
    folder = mkdtempSync(join(tmpdir(), 'pyro-store-'));
    const entries = [{ name: 'a', data: randomBytes(300_000) }];
    await pushImage(registry.host, 'two', [{ entries }, { entries: [{ name: 'b', data: 'b' }], compression: 'zstd' }]);
    name = `${registry.host}/two`;
  });
  afterAll(async () => {
    await registry.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it(`leaves nothing, and the next one has it all, seed ${seed}`, {
    timeout: isSoak ? 3_600_000 : 120_000,
  }, async () => {
    const { report } = await pullWith(join(folder, 'learn'), { kind: 'learn' });
    const all: FaultOrder[] = [];
    for (const place of report?.places ?? []) for (const code of codes) all.push({ kind: 'fail', place, code });
    for (let step = 1; step <= (report?.steps ?? 0); step++) all.push({ kind: 'kill', step });
    const random = new Random(seed);
    const chosen = tries >= all.length ? all : Array.from({ length: tries }, () => all[random.next(all.length)]);
    const found: string[] = [];
    for (const [index, order] of chosen.entries()) {
      if (order === undefined) continue;
      const cache = join(folder, String(index));
      const { code } = await pullWith(cache, order);
      for (const fault of await look(cache, code)) found.push(`${JSON.stringify(order)}: ended with ${code}: ${fault}`);
      rmSync(cache, { recursive: true, force: true });
    }
    process.stderr.write(`${chosen.length} of ${all.length} faults of a pull tried, seed ${seed}\n`);
    expect(found).toEqual([]);
  });
});
