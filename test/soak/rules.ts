// What has to hold over a soak, judged from what was written down: pure, so that each rule is seen to notice its breach.
import { type CallRecord, listProbe, probe, quantile } from './journal.ts';
import type { Sample } from './watch.ts';

export interface Evidence {
  readonly accelerator: string;
  /** When the hostile guests began, and when everybody was asked to stop, `ms` */
  readonly hostileAtMs: number;
  readonly overAtMs: number;
  readonly calls: readonly CallRecord[];
  readonly faults: readonly string[];
  readonly samples: readonly Sample[];
  /** The daemon when all was set up and nothing ran, and when all was deleted again */
  readonly before: Sample;
  readonly after: Sample;
  readonly left: readonly string[];
  /** What each attack was seen to do, in words, and whether that is an attack */
  readonly attacks: readonly { readonly name: string; readonly did: string; readonly isReal: boolean }[];
}

export interface Verdict {
  readonly name: string;
  readonly measured: string;
  readonly bound: string;
  readonly holds: boolean;
}

export const bounds = {
  slowdown: 3,
  listMs: 1000,
  daemonMib: 400,
  growth: 0.1,
  /** A daemon at rest after it all, against the same before: V8 keeps some of a heap that was larger */
  restGrowth: 0.5,
  answerMs: 60_000,
  /** Of the daemon at rest, more than before */
  descriptors: 4,
} as const;

/** Growth is looked at from minute 5 on, when all caches are full; in a shorter run after a third of it */
const settledMs = 5 * 60_000;
/** At both ends of that time memory is the median of so much, and of an eighth of a shorter one, `ms` */
const windowMs = 3 * 60_000;
const fewestProbes = 20;
/** In a shorter run a heap is still on its way to its size, `ms` */
const judgedMs = 10 * 60_000;

export function judge(evidence: Evidence): Verdict[] {
  const { calls, samples, faults, left, attacks, before, after, hostileAtMs, overAtMs } = evidence;
  const probes = probesOf(evidence);
  const [quiet, beside] = [quantile(probes.quiet, 0.5), quantile(probes.beside, 0.5)];
  const lists = calls.filter(({ name, code }) => name === listProbe && code === undefined).map(({ ms }) => ms);
  const peak = Math.max(...samples.map(({ daemonMib }) => daemonMib));
  const { early, late } = growthOf(samples, overAtMs);
  const pids = new Set(samples.flatMap(({ daemonPids }) => daemonPids));
  const ofPeaceful = calls.filter(({ isHostile, code }) => !isHostile && code !== undefined && code !== 'cancelled');
  const killed = ofPeaceful.filter(({ name }) => name !== 'call of a server that is killed');
  const internal = calls.filter(({ code }) => code === 'internal' || code === 'unnamed');
  const slowest = Math.max(0, ...calls.map(({ ms }) => ms));
  const unreal = attacks.filter(({ isReal }) => !isReal);
  const rule = (name: string, measured: string, bound: string, holds: boolean): Verdict => ({
    name,
    measured,
    bound,
    holds,
  });
  return [
    rule(
      'exec beside hostile guests, median',
      `${beside} ms, ${(beside / quiet).toFixed(2)} x`,
      `<= ${bounds.slowdown} x ${quiet} ms`,
      probes.quiet.length >= fewestProbes && probes.beside.length >= fewestProbes && beside <= bounds.slowdown * quiet,
    ),
    rule(
      'list, longest',
      `${Math.max(0, ...lists)} ms of ${lists.length}`,
      `<= ${bounds.listMs} ms`,
      lists.length > 0 && Math.max(...lists) <= bounds.listMs,
    ),
    rule(
      'memory of the daemon, highest',
      `${peak.toFixed(0)} MiB`,
      `<= ${bounds.daemonMib} MiB`,
      peak > 0 && peak <= bounds.daemonMib,
    ),
    rule(
      'memory of the daemon, growth once it has settled',
      `${early.toFixed(0)} to ${late.toFixed(0)} MiB`,
      `<= ${100 * bounds.growth} %${overAtMs < judgedMs ? ', not judged in a run this short' : ''}`,
      early > 0 && (overAtMs < judgedMs || late <= early * (1 + bounds.growth)),
    ),
    rule(
      'memory of the daemon at rest, before and after',
      `${before.daemonMib.toFixed(0)} and ${after.daemonMib.toFixed(0)} MiB`,
      `<= ${100 * bounds.restGrowth} % more`,
      after.daemonMib > 0 && after.daemonMib <= before.daemonMib * (1 + bounds.restGrowth),
    ),
    rule(
      'descriptors of the daemon at rest, before and after',
      `${before.descriptors} and ${after.descriptors}`,
      `<= ${bounds.descriptors} more`,
      after.descriptors > 0 && after.descriptors <= before.descriptors + bounds.descriptors,
    ),
    rule('one daemon from beginning to end', `${pids.size}`, '1', pids.size === 1),
    rule('calls of peaceful clients that failed', `${killed.length}${inWords(killed)}`, '0', killed.length === 0),
    rule(
      'what was not as it had to be',
      `${faults.length}${faults.length > 0 ? `: ${faults.slice(0, 3).join('; ')}` : ''}`,
      '0',
      faults.length === 0,
    ),
    rule('calls that met a fault of pyro', `${internal.length}${inWords(internal)}`, '0', internal.length === 0),
    rule(
      'longest call of all',
      `${slowest} ms (${calls.find(({ ms }) => ms === slowest)?.name})`,
      `<= ${bounds.answerMs} ms`,
      slowest <= bounds.answerMs,
    ),
    rule(
      'attacks that took place',
      attacks.map(({ name, did }) => `${name}: ${did}`).join('; '),
      'all',
      attacks.length > 0 && unreal.length === 0 && overAtMs > hostileAtMs,
    ),
    rule(
      'left at the end',
      left.length === 0 ? 'nothing' : `${left.length}: ${left.slice(0, 5).join('; ')}`,
      'nothing',
      left.length === 0,
    ),
  ];
}

/** Times of the smallest command in guests of peaceful clients, before the hostile ones came and beside them, `ms`. */
export function probesOf({ calls, hostileAtMs, overAtMs }: Evidence): {
  readonly quiet: number[];
  readonly beside: number[];
} {
  const probes = calls.filter((call) => call.name === probe && !call.isHostile && call.code === undefined);
  return {
    quiet: probes.filter(({ atMs }) => atMs < hostileAtMs).map(({ ms }) => ms),
    beside: probes.filter(({ atMs }) => atMs >= hostileAtMs && atMs < overAtMs).map(({ ms }) => ms),
  };
}

function growthOf(samples: readonly Sample[], overAtMs: number): { readonly early: number; readonly late: number } {
  const from = Math.min(settledMs, overAtMs / 3);
  const width = Math.min(windowMs, (overAtMs - from) / 4);
  const median = (start: number): number =>
    quantile(
      samples.filter(({ atMs }) => atMs >= start && atMs < start + width).map(({ daemonMib }) => daemonMib),
      0.5,
    );
  return { early: median(from), late: median(overAtMs - width) };
}

function inWords(calls: readonly CallRecord[]): string {
  const [first] = calls;
  if (first === undefined) return '';
  return `, first of ${first.client} at ${Math.round(first.atMs / 1000)} s: ${first.name}: ${first.code}: ${first.words?.slice(0, 200)}`;
}
