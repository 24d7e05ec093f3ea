// The report of a soak: what was run, each rule with its figure, times of the calls, and curves.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CallRecord, listProbe, probe, quantile } from './journal.ts';
import { drawPanels, type Panel } from './plot.ts';
import { bounds, type Evidence, probesOf, type Verdict } from './rules.ts';
import type { Sample } from './watch.ts';

export interface ReportFacts {
  readonly machine: Readonly<Record<string, unknown>>;
  readonly minutes: number;
  readonly clients: number;
  readonly guests: number;
  readonly seed: number;
  /** Longest time that the process which plays the clients was held up itself, `ms`; it stands in the times of their calls */
  readonly harnessMs: number;
  /** Stalls of the daemon's thread that its log tells of */
  readonly stalls: readonly { readonly ms: number; readonly ownMs: number }[];
}

/** Points of a curve of latencies stand for so much time, `s` */
const bucketSeconds = 20;

/** Writes ACCELERATOR-soak.md, .svg and .json; gives their paths. */
export function writeReport(
  folder: string,
  facts: ReportFacts,
  evidence: Evidence,
  verdicts: readonly Verdict[],
): string[] {
  const name = `${evidence.accelerator}-soak`;
  mkdirSync(folder, { recursive: true });
  const path = (ending: string): string => join(folder, `${name}.${ending}`);
  const broken = verdicts.filter(({ holds }) => !holds).map((verdict) => verdict.name);
  writeFileSync(path('svg'), drawPanels(`Soak of ${facts.minutes} minutes`, panelsOf(evidence), marksOf(evidence)));
  writeFileSync(path('md'), `${markdown(`${name}.svg`, facts, evidence, verdicts)}\n`);
  const { calls: _calls, samples, ...rest } = evidence;
  const json = {
    ...facts,
    broken,
    verdicts,
    calls: callTable(evidence),
    ...rest,
    samples: thinned(samples),
  };
  writeFileSync(path('json'), `${JSON.stringify(json, null, 2)}\n`);
  return [path('md'), path('svg'), path('json')];
}

function markdown(picture: string, facts: ReportFacts, evidence: Evidence, verdicts: readonly Verdict[]): string {
  const { quiet, beside } = probesOf(evidence);
  const row = (...cells: readonly unknown[]): string =>
    `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  const longest = [...facts.stalls].sort((a, b) => b.ms - a.ms)[0];
  return [
    `# Soak of ${facts.minutes} minutes`,
    `\n${facts.clients} MCP clients on ${facts.guests} guests at a time, four hostile guests beside them, 256 MiB each, by \`make soak PARTS=mixed\`, seed ${facts.seed}. ${Object.entries(
      { ...facts.machine, accelerator: evidence.accelerator },
    )
      .map(([key, value]) => `${key} ${value}`)
      .join(', ')}.\n`,
    row('rule', 'measured', 'bound', ''),
    row('---', '---', '---', '---'),
    ...verdicts.map(({ name, measured, bound, holds }) => row(name, measured, bound, holds ? 'holds' : '**broken**')),
    `\n\`${probe}\` in guests of peaceful clients: median and 95th percentile ${quantile(quiet, 0.5)} and ${quantile(quiet, 0.95)} ms before the hostile ones came (${quiet.length} calls), ${quantile(beside, 0.5)} and ${quantile(beside, 0.95)} ms beside them (${beside.length}). The daemon's log tells of ${facts.stalls.length} stalls of its thread over 200 ms${longest === undefined ? '' : `, the longest of ${longest.ms} ms, in which it worked for ${longest.ownMs} ms`}. \`${listProbe}\` is measured in a process that does nothing else; the one that plays the other clients was itself held up for ${facts.harnessMs} ms at most, which stands in their times.\n`,
    `![curves](${picture})\n`,
    row('call', 'who', 'answered', 'refused', 'median ms', '95 % ms', 'longest ms'),
    row('---', '---', '--:', '--:', '--:', '--:', '--:'),
    ...callTable(evidence).map((each) =>
      row(each.name, each.who, each.answered, each.refused, each.medianMs, each.p95Ms, each.longestMs),
    ),
  ].join('\n');
}

function callTable({ calls }: Evidence) {
  const keys = [...new Set(calls.map(({ name, isHostile }) => JSON.stringify([name, isHostile])))].sort();
  return keys.map((key) => {
    const [name, isHostile]: [string, boolean] = JSON.parse(key);
    const all = calls.filter((call) => call.name === name && call.isHostile === isHostile);
    const times = all.map(({ ms }) => ms);
    const codes = all.flatMap(({ code }) => (code === undefined ? [] : [code]));
    return {
      name,
      who: isHostile ? 'hostile' : 'peaceful',
      answered: all.length - codes.length,
      refused: codes.length === 0 ? '' : `${codes.length} (${[...new Set(codes)].join(', ')})`,
      medianMs: quantile(times, 0.5),
      p95Ms: quantile(times, 0.95),
      longestMs: Math.max(...times),
    };
  });
}

function marksOf({ hostileAtMs, overAtMs }: Evidence): [number, string][] {
  return [
    [hostileAtMs / 1000, 'hostile guests'],
    [overAtMs / 1000, 'end'],
  ];
}

function panelsOf(evidence: Evidence): Panel[] {
  const { samples, calls } = evidence;
  const curve = (name: string, value: (sample: Sample) => number) => ({
    name,
    points: samples.map((sample) => [sample.atMs / 1000, value(sample)] as const),
  });
  const quiet = quantile(probesOf(evidence).quiet, 0.5);
  const probes = calls.filter((call) => call.name === probe && !call.isHostile && call.code === undefined);
  const lists = calls.filter(({ name }) => name === listProbe);
  return [
    {
      title: 'Memory',
      unit: 'MiB',
      bound: bounds.daemonMib,
      curves: [
        curve('daemon', (each) => each.daemonMib),
        curve('largest server', (each) => each.serverMib),
        curve('largest job', (each) => each.jobMib),
      ],
    },
    {
      title: 'exec true, peaceful guests',
      unit: 'ms',
      bound: bounds.slowdown * quiet,
      curves: [latencies('median', probes, 0.5), latencies('95 %', probes, 0.95)],
    },
    {
      title: 'list',
      unit: 'ms',
      bound: bounds.listMs,
      curves: [latencies('median', lists, 0.5), latencies('longest', lists, 1)],
    },
    {
      title: 'Held by the daemon, and cgroups',
      unit: 'count',
      curves: [
        curve('descriptors', (each) => each.descriptors),
        curve('sockets', (each) => each.sockets),
        curve('cgroups', (each) => each.cgroups),
      ],
    },
    {
      title: 'Processes',
      unit: 'count',
      curves: [
        curve('all', (each) => each.processes),
        curve('guests', (each) => each.guests),
        curve('jobs', (each) => each.jobs),
        curve('zombies', (each) => each.zombies),
      ],
    },
    {
      title: 'Files',
      unit: 'count',
      curves: [
        curve('state', (each) => each.stateFiles),
        curve('cache', (each) => each.cacheFiles),
        curve('runtime', (each) => each.runtimeFiles),
        curve('temporary', (each) => each.temporaryFiles),
      ],
    },
    {
      title: 'Disk',
      unit: 'GiB',
      curves: [curve('state', (each) => each.stateMib / 1024), curve('cache', (each) => each.cacheMib / 1024)],
    },
    {
      title: 'Machine',
      unit: 'load, GiB free',
      curves: [curve('load', (each) => each.load), curve('free memory', (each) => each.freeMib / 1024)],
    },
  ];
}

function latencies(name: string, calls: readonly CallRecord[], part: number) {
  const buckets = new Map<number, number[]>();
  for (const { atMs, ms } of calls) {
    const bucket = Math.floor(atMs / 1000 / bucketSeconds) * bucketSeconds;
    buckets.set(bucket, [...(buckets.get(bucket) ?? []), ms]);
  }
  const points = [...buckets].sort(([a], [b]) => a - b).map(([at, values]) => [at, quantile(values, part)] as const);
  return { name, points };
}

/** One sample in half a minute is enough for who reads the numbers; the curves have all. */
function thinned(samples: readonly Sample[]): Sample[] {
  let last = Number.NEGATIVE_INFINITY;
  return samples.filter(({ atMs }) => {
    if (atMs - last < 30_000) return false;
    last = atMs;
    return true;
  });
}
