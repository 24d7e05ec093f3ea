// A guest whose agent lies, against a daemon in a process of its own: the call ends with a reason, and nobody else is hindered.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { answerLies } from '../support/answer-lies.ts';
import { type GuestCallName, guestCalls, isGuestCall } from '../support/guest-calls.ts';
import { clientFloods, floods } from '../support/http2-lies.ts';
import { dripping, forever, type Lie, text } from '../support/lies.ts';
import { LyingHouse, type Outcome } from '../support/lying-house.ts';
import { Watch } from '../support/lying-watch.ts';
import { standInObstacle } from '../support/stand-in-machine.ts';

const obstacle = standInObstacle();
/** Each lie to one of the calls that meet it, and floods for a moment, unless the whole is asked for */
const isSoak = process.env['PYRO_SOAK'] === '1';
/** A third of the lies to single answers each day, so that all have their turn; all of them in the soak */
const turns = 3;
const turn = Math.floor(Date.now() / 86_400_000) % turns;
const floodMs = isSoak ? 5000 : 700;
/** An exec of a stand-in takes some 20 ms, of which other tests at the same time make several times as much */
const leastExecMs = isSoak ? 33 : 200;

let house: LyingHouse;
let watch: Watch;
let liar: string;

beforeAll(async () => {
  if (obstacle !== undefined) return;
  house = await LyingHouse.open();
  watch = new Watch(house, await house.create(), { leastExecMs, mostTimesOfFew: 10 });
  liar = await house.create();
});
afterAll(async () => {
  await house?.[Symbol.asyncDispose]();
  watch?.[Symbol.dispose]();
});
beforeEach(async () => {
  if (obstacle === undefined) await watch.begin();
});
afterEach(async () => {
  if (obstacle === undefined) await watch.end();
});

/** Makes a call while the guest lies. */
async function meet(id: string, name: GuestCallName, lies: readonly Lie[], withinMs = 10_000): Promise<Outcome> {
  house.lie(id, ...lies);
  const outcome = await watch.meet(id, name, withinMs);
  house.lie(id);
  return outcome;
}

const everyCall = Object.keys(guestCalls).filter(isGuestCall);
/** These go on without the answer */
const goesWithout: readonly GuestCallName[] = ['status', 'probe', 'snapshot'];
/** What the head of a file's slice tells, so that its body is looked at */
const headers = {
  'pyro-size': '9',
  'pyro-mode': '0',
  'pyro-offset': '0',
  'pyro-first-line': '0',
  'pyro-cut': 'false',
};

describe.skipIf(obstacle !== undefined)('a guest whose agent lies', () => {
  it.each([
    ['sends zeroes without an end', { headers, body: [forever({ fill: 1 << 20 })] }],
    ['sends JSON without an end', { headers, body: [forever(text('[1,'.repeat(1000)))] }],
    ['sends tiny pieces without an end', { headers, body: [dripping(text('[1,'), 0)] }],
    ['breaks off', { headers, end: 'cut', body: [text('{"a')] }],
    ['answers with a status of nobody', { status: 418, body: [text('{"code":"internal","message":"x"}')] }],
    // One of the calls takes the 30 s that a guest may have to answer.
    ...(isSoak ? [['sends a megabyte of headers', { headers: manyHeaders() }] as const] : []),
  ] as const)('%s, to every call', async (_, lie) => {
    for (const name of everyCall) {
      const outcome = await meet(liar, name, [{ on: guestCalls[name].on, ...lie, times: 3 }]);
      if (!goesWithout.includes(name)) expect(outcome, name).toHaveProperty('code');
    }
    await clearServices();
  });

  const chosen = answerLies.filter(({ isSlow }, index) => isSoak || (isSlow !== true && index % turns === turn));
  it.each(chosen.map((each, index) => ({ ...each, index })))(
    '$name: $calls.0',
    async ({ lies, calls, isSlow, index }) => {
      for (const name of isSoak ? calls : [calls[index % calls.length]])
        await meet(liar, name ?? 'list', lies, isSlow === true ? 150_000 : 25_000);
      await clearServices();
    },
    // A call that goes on when its test is over would be met by the next one.
    isSoak ? 10 * 60_000 : undefined,
  );

  it('is silent, half open or dripping: each call ends in its time', { timeout: 200_000 }, async () => {
    const quick: readonly GuestCallName[] = ['exec', 'service', 'shell', 'status'];
    const calls = isSoak ? everyCall : quick;
    await Promise.all(
      (['silent', 'hang'] as const).flatMap((end) =>
        calls.map(async (name) => {
          const id = await house.create();
          const lie = { on: guestCalls[name].on, headers, end, deaf: true, body: end === 'hang' ? [text('{')] : [] };
          const outcome = await meet(id, name, [lie], name.includes('push') ? 190_000 : 140_000);
          if (!goesWithout.includes(name)) expect(outcome, name).toMatchObject({ code: 'guest_unreachable' });
        }),
      ),
    );
  });

  it.each(Object.entries(floods))('floods the session with %s while it answers', async (_, flood) => {
    const id = await house.create();
    house.lie(id, { on: 'GET /v1/files', raw: [flood], end: 'silent', times: 1 });
    const asked = house.outcome('workspace.file.list', { workspace_id: id, path: '/' }, AbortSignal.timeout(floodMs));
    await asked.catch(() => undefined);
    await house.call('workspace.delete', { workspace_id: id, force: true });
  });

  const worst = ['ping', 'settings', 'connect and reset', 'reports', 'long headers', 'window update of zero'];
  it.each(Object.entries(clientFloods).filter(([name]) => isSoak || worst.includes(name)))(
    'floods its way out: %s',
    async (_, flood) => {
      for (const deaf of [false, true]) {
        house.lieFromStart({ on: 'network', body: [flood], deaf, end: 'hang' });
        const id = await house.create({ network_policy: 'egress' });
        house.lieFromStart();
        await new Promise((resolve) => setTimeout(resolve, floodMs));
        const log = await house.call('workspace.network', { workspace_id: id, limit: 3 });
        expect(log).toHaveProperty('attempts');
        await house.call('workspace.delete', { workspace_id: id, force: true });
      }
    },
  );
});

/** A service that a lie let start would make the next one fail for another reason. */
async function clearServices(): Promise<void> {
  for (const name of ['web', 'other'])
    await house.outcome('workspace.service.stop', { workspace_id: liar, service_name: name });
}

function manyHeaders(): Record<string, string> {
  return Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`h${index}`, 'x'.repeat(1000)]));
}
