// Each rule of a soak notices its breach, and no other.
import { expect, it } from 'vitest';
import { type CallRecord, listProbe, probe } from '../../soak/journal.ts';
import { drawPanels, niceAbove } from '../../soak/plot.ts';
import { type Evidence, judge } from '../../soak/rules.ts';
import { Seats, seatsFor } from '../../soak/seats.ts';
import type { Sample } from '../../soak/watch.ts';

const minute = 60_000;
const sample = (atMs: number, more: Partial<Sample> = {}): Sample => ({
  atMs,
  daemonPids: [7],
  daemonMib: 100,
  serverMib: 90,
  jobMib: 0,
  descriptors: 40,
  sockets: 20,
  processes: 20,
  guests: 12,
  jobs: 1,
  zombies: 0,
  cgroups: 20,
  mounts: 0,
  runtimeFiles: 30,
  stateFiles: 100,
  cacheFiles: 100,
  temporaryFiles: 0,
  stateMib: 10,
  cacheMib: 300,
  freeMib: 9000,
  load: 3,
  ...more,
});
const call = (name: string, atMs: number, ms: number, more: Partial<CallRecord> = {}): CallRecord => ({
  atMs,
  client: 'client-1',
  isHostile: false,
  name,
  ms,
  ...more,
});
const probes = (from: number, ms: number): CallRecord[] =>
  Array.from({ length: 30 }, (_, turn) => call(probe, from + turn * 1000, ms));
const good: Evidence = {
  accelerator: 'tcg',
  hostileAtMs: 4 * minute,
  overAtMs: 30 * minute,
  calls: [...probes(minute, 50), ...probes(5 * minute, 149), call(listProbe, minute, 900)],
  faults: [],
  samples: Array.from({ length: 600 }, (_, turn) => sample(turn * 3000)),
  before: sample(0, { daemonMib: 80 }),
  after: sample(31 * minute, { daemonMib: 110 }),
  left: [],
  attacks: [{ name: 'fork bomb', did: 'much', isReal: true }],
};
const broken = (change: Partial<Evidence>): string[] =>
  judge({ ...good, ...change }).flatMap(({ name, holds }) => (holds ? [] : [name]));

it('finds nothing where all holds', () => {
  expect(broken({})).toEqual([]);
});

it.each<[string, Partial<Evidence>]>([
  [
    'exec beside hostile guests, median',
    { calls: [...good.calls, ...probes(6 * minute, 160), ...probes(7 * minute, 160)] },
  ],
  ['list, longest', { calls: [...good.calls, call(listProbe, 9 * minute, 1001)] }],
  ['memory of the daemon, highest', { samples: [...good.samples, sample(12 * minute, { daemonMib: 401 })] }],
  [
    'memory of the daemon, growth once it has settled',
    { samples: good.samples.map((each) => ({ ...each, daemonMib: 100 + each.atMs / minute })) },
  ],
  ['memory of the daemon at rest, before and after', { after: sample(0, { daemonMib: 121 }) }],
  ['descriptors of the daemon at rest, before and after', { after: sample(0, { descriptors: 45 }) }],
  ['one daemon from beginning to end', { samples: [...good.samples, sample(minute, { daemonPids: [8] })] }],
  [
    'calls of peaceful clients that failed',
    { calls: [...good.calls, call('workspace_diff', minute, 5, { code: 'guest_unreachable' })] },
  ],
  ['what was not as it had to be', { faults: ['9 s: a file has another content'] }],
  [
    'calls that met a fault of pyro',
    { calls: [...good.calls, call('workspace_diff', minute, 5, { code: 'internal', isHostile: true })] },
  ],
  ['longest call of all', { calls: [...good.calls, call('workspace_reset', minute, 60_001, { isHostile: true })] }],
  ['attacks that took place', { attacks: [{ name: 'fork bomb', did: 'nothing', isReal: false }] }],
  ['left at the end', { left: ['process 12 git'] }],
])('notices a breach of: %s', (name, change) => {
  expect(broken(change)).toEqual([name]);
});

it('takes no rule for kept where nothing was measured', () => {
  expect(broken({ calls: [], samples: [] })).toEqual(
    expect.arrayContaining(['exec beside hostile guests, median', 'list, longest', 'memory of the daemon, highest']),
  );
});

it('gives as many guests a place as the memory holds, and the next one when one has gone', async () => {
  expect([2000, 9500, 64_000].map((mib) => seatsFor(mib, 4, 8))).toEqual([2, 8, 8]);
  const seats = new Seats(1);
  const first = await seats.take();
  let isTaken = false;
  const second = seats.take().then((seat) => {
    isTaken = true;
    return seat;
  });
  await Promise.resolve();
  expect(isTaken).toBe(false);
  first[Symbol.dispose]();
  (await second)[Symbol.dispose]();
  (await seats.take())[Symbol.dispose]();
});

it('draws curves below their bound, with names that cannot break the picture', () => {
  const points = [[0, 1] as const, [60, 3] as const];
  const svg = drawPanels(
    'a <b> & c',
    [{ title: 'T', unit: 'ms', bound: 7, curves: [{ name: '<x>', points }] }],
    [[30, 'x']],
  );
  expect(svg).toContain('a &lt;b&gt; &amp; c');
  expect(svg).not.toContain('<x>');
  expect(svg.match(/<polyline[^>]*points="64\.0,[\d.]+ 710\.0,[\d.]+"/)).not.toBeNull();
  expect([1, 3, 95, 400, 801].map(niceAbove)).toEqual([1, 4, 100, 400, 1000]);
});
