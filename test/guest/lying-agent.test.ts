// The lying agent in the place of the real one, in real guests: over QEMU's sockets, at a resume, and to a daemon that takes over.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { answerLies } from '../support/answer-lies.ts';
import { type GuestCallName, guestCalls, isGuestCall } from '../support/guest-calls.ts';
import { clientFloods, floods } from '../support/http2-lies.ts';
import { dripping, forever, type Lie, text } from '../support/lies.ts';
import { LyingHouse, type Outcome } from '../support/lying-house.ts';
import { Watch } from '../support/lying-watch.ts';

const isSoak = process.env['PYRO_SOAK'] === '1';
const builder = fileURLToPath(new URL('../../guest/kit/build.sh', import.meta.url));
const floodMs = isSoak ? 5000 : 1500;
/** A command of a guest under emulation takes so long at least, beside QEMUs that do what they like, `ms` */
const leastExecMs = 300;
/** These go on without the answer */
const goesWithout: readonly GuestCallName[] = ['status', 'probe', 'snapshot'];
const daily: readonly GuestCallName[] = ['exec', 'read', 'diff', 'export of files', 'copy', 'push'];
const calls = isSoak ? Object.keys(guestCalls).filter(isGuestCall) : daily;

const kit = mkdtempSync(join(tmpdir(), 'pk-'));
let house: LyingHouse;
let watch: Watch;
let liar: string;

beforeAll(async () => {
  execFileSync(builder, [kit], { env: { ...process.env, PYRO_KIT_TAGS: 'liar' } });
  house = await LyingHouse.open(kit);
  watch = new Watch(house, await house.create({ wait_seconds: 600 }), { leastExecMs });
  liar = await house.create();
});
afterAll(async () => {
  await house?.[Symbol.asyncDispose]();
  watch?.[Symbol.dispose]();
  rmSync(kit, { recursive: true, force: true });
});
beforeEach(async () => {
  await watch.begin();
});
afterEach(async () => {
  // The way out of whatever it does, tried after each of them.
  await reset(liar);
  await watch.end();
});

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
      const outcome = await watch.meet(liar, name, 60_000);
      if (!goesWithout.includes(name)) expect(outcome, name).toHaveProperty('code');
    }
  });

  it('tells names, sizes and archives of its own making', async () => {
    const chosen = isSoak ? answerLies : answerLies.filter(({ isSlow }, at) => isSlow !== true && at % 8 === 0);
    for (const { lies, calls: names } of chosen) {
      const name = names[0] ?? 'list';
      await house.lieInside(liar, ...lies.map((lie) => ({ ...lie, times: 1 })));
      await watch.meet(liar, name, 150_000);
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
    await watch.bystander.stop();
    await house.replaceDaemon();
    watch.bystander.watch();
    const outcome = await house.outcome('workspace.exec', { workspace_id: liar, command: 'true', wait_seconds: 20 });
    expectLost(outcome);
  });

  it('plays what it has recorded of an earlier take-over to the next: taken for nobody, told nothing', async () => {
    const take = async (...lies: readonly Lie[]): Promise<Outcome> => {
      await house.lieInside(liar, ...lies);
      await watch.bystander.stop();
      await house.replaceDaemon();
      watch.bystander.watch();
      return await house.outcome('workspace.exec', { workspace_id: liar, command: 'cat /tmp/old.said | base64 -w 0' });
    };
    const recorded = await take({ on: 'hello', end: 'honest', record: 'old' });
    expect(recorded).toMatchObject({ output: { exit_code: 0, truncated: false } });
    const old = 'output' in recorded ? String(recorded.output['stdout']) : '';
    expect(old.length).toBeGreaterThan(100);
    // The old answer, then the truth: what comes before the right answer is of no account.
    const late = await take({ on: 'hello', body: [{ base64: old }], end: 'honest', record: 'old' });
    expect(late).toHaveProperty('output');
    expectLost(await take({ on: 'hello', body: [{ base64: old }] }));
  });
});

/** Given up with a reason, or started anew from its disk where its session broke. */
function expectLost(outcome: Outcome): void {
  if ('code' in outcome) expect(outcome.code).toMatch(/^guest_(unresponsive|unreachable|protocol|ended)$/);
  else expect(outcome.output).toMatchObject({ restarted: true });
}
