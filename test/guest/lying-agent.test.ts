// The lying agent in the place of the real one, in real guests: over QEMU's sockets, at a resume, and to a daemon that takes over.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { answerLies } from '../support/answer-lies.ts';
import { type GuestCallName, guestCalls, isGuestCall } from '../support/guest-calls.ts';
import { clientFloods, floods } from '../support/http2-lies.ts';
import { dripping, forever, type Lie, text } from '../support/lies.ts';
import { Bystander, LyingHouse, type Outcome } from '../support/lying-house.ts';
import { until } from '../support/until.ts';

const isSoak = process.env['PYRO_SOAK'] === '1';
const builder = fileURLToPath(new URL('../../guest/kit/build.sh', import.meta.url));
const mostMemoryMib = 400;
const floodMs = isSoak ? 5000 : 1500;
/** A command of a guest under emulation takes so long at least, beside QEMUs that do what they like, `ms` */
const leastExecMs = 300;
/** These go on without the answer */
const goesWithout: readonly GuestCallName[] = ['status', 'probe', 'snapshot'];
const daily: readonly GuestCallName[] = ['exec', 'read', 'diff', 'export of files', 'copy', 'push'];
const calls = isSoak ? Object.keys(guestCalls).filter(isGuestCall) : daily;

const kit = mkdtempSync(join(tmpdir(), 'pk-'));
const host = mkdtempSync(join(tmpdir(), 'ph-'));
let house: LyingHouse;
let bystander: Bystander;
let liar: string;
let folders = 0;
let execBefore = 0;

beforeAll(async () => {
  execFileSync(builder, [kit], { env: { ...process.env, PYRO_KIT_TAGS: 'liar' } });
  house = await LyingHouse.open(kit);
  bystander = new Bystander(house, await house.create({ wait_seconds: 600 }));
  liar = await house.create();
});
afterAll(async () => {
  await house?.[Symbol.asyncDispose]();
  for (const folder of [kit, host]) rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  house.forgetPeak();
  execBefore = (await bystander.measure(5)).execMs;
  bystander.watch();
});
afterEach(async () => {
  // The way out of whatever it does, tried after each of them.
  await reset(liar);
  const { execMs, listMs, count } = await bystander.stop();
  expect(listMs, 'longest list of another').toBeLessThan(1000);
  expect(execMs, `exec of another, ${count} times`).toBeLessThan(3 * Math.max(execBefore, leastExecMs));
  expect(house.peakMib, 'memory of the daemon').toBeLessThan(mostMemoryMib);
  expect(house.daemonLog).not.toMatch(/unhandled_rejection|uncaught_exception|operation_failed/);
  await until(() => house.children.length === 0);
});

async function meet(id: string, name: GuestCallName, withinMs = 60_000): Promise<Outcome> {
  const { operation, input } = guestCalls[name];
  const folder = join(host, `${folders++}`);
  mkdirSync(folder);
  const given = { workspace_id: id, ...input(folder) };
  const outcome = await house.outcome(operation, given, AbortSignal.timeout(withinMs));
  if ('code' in outcome) {
    expect(outcome.code, name).not.toBe('internal');
    expect(readdirSync(folder).filter((each) => each !== 'source')).toEqual([]);
  }
  expect(readdirSync(tmpdir()).filter((each) => each.startsWith('pyro-escaped'))).toEqual([]);
  return outcome;
}

/** Back to what was in the guest before the lies. */
async function reset(id: string): Promise<void> {
  await house.call('workspace.reset', { workspace_id: id });
  expect(await house.exec(id, 'cat /tmp/pyro-lies; echo honest')).toMatchObject({ stdout: 'honest\n' });
}

/** The lie to all calls but those by which another script could be put there. */
const toAll = (names: readonly GuestCallName[], lie: Omit<Lie, 'on'>): Lie[] =>
  [...new Set(names.map((name) => guestCalls[name].on))].map((on) => ({ ...lie, on }));

describe('a real guest whose agent lies', () => {
  it.each([
    ['sends zeroes without an end', { body: [forever({ fill: 1 << 20 })] }],
    ['sends tiny pieces without an end', { body: [dripping(text('[1,'), 0)] }],
    ['breaks off', { end: 'cut', body: [text('{"a')] }],
  ] as const)('%s, to every call', async (_, lie) => {
    await house.lieInside(liar, ...toAll(calls, lie));
    for (const name of calls) {
      const outcome = await meet(liar, name);
      if (!goesWithout.includes(name)) expect(outcome, name).toHaveProperty('code');
    }
  });

  it('tells names, sizes and archives of its own making', async () => {
    const chosen = isSoak ? answerLies : answerLies.filter(({ isSlow }, at) => isSlow !== true && at % 8 === 0);
    for (const { lies, calls: names } of chosen) {
      const name = names[0] ?? 'list';
      await house.lieInside(liar, ...lies.map((lie) => ({ ...lie, times: 1 })));
      await meet(liar, name, 150_000);
      await reset(liar);
    }
  });

  it.each(Object.entries(floods).slice(0, isSoak ? undefined : 2))('floods its session with %s', async (_, flood) => {
    await house.lieInside(liar, { on: 'GET /v1/files', raw: [flood], end: 'silent', times: 1 });
    const asked = house.outcome('workspace.file.list', { workspace_id: liar, path: '/' }, AbortSignal.timeout(floodMs));
    await asked.catch(() => undefined);
  });

  it('floods its way out from the moment it is resumed', async () => {
    const id = await house.create({ network_policy: 'egress' });
    const worst = isSoak ? Object.keys(clientFloods) : ['ping', 'connect and reset'];
    for (const [at, [, flood]] of Object.entries(clientFloods)
      .filter(([name]) => worst.includes(name))
      .entries()) {
      await house.lieInside(id, { on: 'network', body: [flood], end: 'hang' });
      await house.call('workspace.snapshot.create', { workspace_id: id, snapshot_name: `s${at}` });
      const resumed = await house.outcome('workspace.reset', { workspace_id: id, snapshot: `s${at}` });
      if ('code' in resumed) expect(resumed.code).not.toBe('internal');
      await new Promise((resolve) => setTimeout(resolve, floodMs));
      await reset(id);
    }
    await house.call('workspace.delete', { workspace_id: id, force: true });
  });

  it.each([
    ['repeats its answer', { body: [forever({ ack: true })] }],
    ['answers with zeroes', { body: [forever({ fill: 1 << 16 })] }],
    ['says nothing', { deaf: true, body: [], end: 'hang' }],
  ] as const)('%s to the hello of a daemon that takes over: others go on, and a reset helps', async (_, lie) => {
    await house.lieInside(liar, { on: 'hello', ...lie });
    await bystander.stop();
    await house.replaceDaemon();
    bystander.watch();
    const outcome = await house.outcome('workspace.exec', { workspace_id: liar, command: 'true', wait_seconds: 20 });
    if ('code' in outcome) expect(outcome.code).toMatch(/^guest_(unresponsive|unreachable|protocol|ended)$/);
  });
});
