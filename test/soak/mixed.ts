// Half an hour of work by eight MCP clients with real guests, beside four hostile ones: nothing leaks, nobody waits for them.
//
//   node test/soak/mixed.ts      SOAK_MINUTES=30, SOAK_GUESTS as memory allows, SOAK_SEED, SOAK_CLIENTS=8
//
// Of a run of half an hour or more the report goes to bench/results, of a shorter one to artifacts/soak.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { machineFacts } from '../../bench/facts.ts';
import { interruptible } from '../recipes/interruptible.ts';
import { root } from '../support/documents.ts';
import { Random } from '../support/random-tree.ts';
import { listBeside } from './beside.ts';
import { Deeds } from './deeds.ts';
import { attacks, beHostile } from './hostile.ts';
import { Journal } from './journal.ts';
import { leftBehind, leftBeside } from './leftovers.ts';
import { bePeaceful } from './peaceful.ts';
import { writeReport } from './report.ts';
import { type Evidence, judge } from './rules.ts';
import { Seats, seatsFor } from './seats.ts';
import { openStage, type Stage } from './stage.ts';
import { ToolClient } from './tool-client.ts';
import { guestSeconds, type Sample, Watch } from './watch.ts';

const minutes = Number(process.env['SOAK_MINUTES'] ?? '30');
const clientCount = Number(process.env['SOAK_CLIENTS'] ?? '8');
const seed = Number(process.env['SOAK_SEED'] ?? Date.now() % 1_000_000);
const freeMib = Number(/MemAvailable:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'latin1'))?.[1]) / 1024;
const guests = Number(process.env['SOAK_GUESTS'] ?? seatsFor(freeMib, attacks.length, clientCount));
/** So long the clients are among themselves: what their calls take then is the measure, `ms` */
const quietMs = Math.min(4 * 60_000, (minutes * 60_000) / 3);
const lookMs = 3000;
/** Time in which everything settles after the last delete, `ms` */
const settleMs = 90_000;
/** Time in which a heap that is no longer needed is given back, `ms` */
const restMs = 20_000;
/** A run that others can compare theirs with */
const wholeMinutes = 30;

const interrupted = interruptible();
const say = (line: string): void => void process.stdout.write(`soak/mixed: ${line}\n`);
const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal }).catch(() => undefined);

/** Makes what is made once on a machine, image and template; gives what guests are run by. */
async function warmUp(client: ToolClient): Promise<string> {
  const schema = z.looseObject({ workspace_id: z.string() });
  const statusSchema = z.looseObject({ accelerator: z.string() });
  let accelerator = '';
  for (let turn = 0; turn < 2; turn++) {
    const request = { environment: 'debian:12', mem_mib: 256, wait_seconds: 600 };
    const { workspace_id: id } = schema.parse(await client.call('workspace_create', request));
    await client.call('workspace_diff', { workspace_id: id });
    ({ accelerator } = statusSchema.parse(await client.call('workspace_status', { workspace_id: id })));
    await client.call('workspace_delete', { workspace_id: id });
  }
  return accelerator;
}

/** What is left once everything has had its time to go. */
async function settled(left: () => Promise<string[]>): Promise<string[]> {
  const until = Date.now() + settleMs;
  for (;;) {
    const found = await left();
    if (found.length === 0 || Date.now() > until) return found;
    await sleep(500);
  }
}

async function soak(stage: Stage, journal: Journal): Promise<Evidence> {
  const { home, places, work, server, port } = stage;
  const watch = new Watch(places);
  const deeds = new Deeds();
  const samples: Sample[] = [];
  const outside = join(work, 'outside');
  mkdirSync(outside);
  const checkouts = Array.from({ length: clientCount }, (_, number) => stage.makeCheckout(number));
  const observer = await ToolClient.open('observer', false, server(work, '--no-project-source'), journal);
  const accelerator = await warmUp(observer);
  const before = await watch.look(journal.nowMs());
  say(`set up in ${Math.round(journal.nowMs() / 1000)} s; the daemon has ${before.daemonMib.toFixed(0)} MiB`);

  const lister = listBeside(server(work, '--no-project-source'), journal);
  const stopping = new AbortController();
  const isOver = AbortSignal.any([stopping.signal, interrupted]);
  const seats = new Seats(guests);
  const clients = [observer];
  const peaceful = checkouts.map(async (checkout, number) => {
    const own = join(outside, `client-${number}`);
    mkdirSync(own);
    const client = await ToolClient.open(`client-${number}`, false, server(checkout, '--allow-path', own), journal);
    clients.push(client);
    await bePeaceful({ client, checkout, outside: own, seats, random: new Random(seed + number), journal, isOver });
  });
  const looking = (async () => {
    while (!isOver.aborted) {
      samples.push(await watch.look(journal.nowMs()));
      // A guest cannot hide what its QEMU takes.
      deeds.see(guestSeconds(home.folder));
      await pause(lookMs, isOver);
    }
  })();

  await pause(quietMs, interrupted);
  const hostileAtMs = journal.nowMs();
  say('now the hostile guests come');
  const grant = ['--network-policy', 'egress', '--allow', `host.pyro.internal:${port}`];
  const hostile = attacks.map(async (attack, number) => {
    const flags = ['--no-project-source', ...(attack.create['network_policy'] === undefined ? [] : grant)];
    const client = await ToolClient.open(attack.name, true, server(work, ...flags), journal);
    clients.push(client);
    const { onProcesses, onOutput } = deeds;
    const random = new Random(seed - number - 1);
    await beHostile({ client, attack, port, random, journal, isOver, onProcesses, onOutput });
  });
  await pause(minutes * 60_000 - quietMs, interrupted);
  const overAtMs = journal.nowMs();
  say('time is over: everybody deletes what is theirs');
  stopping.abort();
  for (const ended of await Promise.allSettled([...peaceful, ...hostile, looking])) {
    if (ended.status === 'rejected') journal.fault(String(ended.reason));
  }
  await lister[Symbol.asyncDispose]();
  for (const client of clients) await client[Symbol.asyncDispose]();
  const left = (await settled(() => leftBeside(places, watch))).map((what) => `beside the daemon: ${what}`);
  let after = await watch.look(journal.nowMs());
  for (const until = Date.now() + restMs; Date.now() < until && after.daemonMib > before.daemonMib; ) {
    await sleep(1000);
    after = await watch.look(journal.nowMs());
  }
  await stage.stopDaemon();
  left.push(...(await settled(() => leftBehind(places, watch))).map((what) => `after the daemon: ${what}`));
  deeds.connections = stage.connections();
  const { calls, faults } = journal;
  const attacked = deeds.all(journal);
  return { accelerator, hostileAtMs, overAtMs, calls, faults, samples, before, after, left, attacks: attacked };
}

const machine = { ...machineFacts(), date: new Date().toISOString().slice(0, 10) };
say(
  `${minutes} minutes, ${clientCount} clients on ${guests} guests of 256 MiB at a time (${Math.round(freeMib)} MiB are free), ${attacks.length} hostile guests, seed ${seed}`,
);
const journal = new Journal();
await using stage = await openStage();
const delay = monitorEventLoopDelay({ resolution: 20 });
delay.enable();
const evidence = await soak(stage, journal);
const harnessMs = Math.round(delay.max / 1e6);
const verdicts = judge(evidence);
const isWhole = minutes >= wholeMinutes && !interrupted.aborted;
const folder = isWhole ? join(root, 'bench', 'results') : join(root, 'artifacts', 'soak');
const facts = { machine, minutes, clients: clientCount, guests, seed, harnessMs, stalls: stage.stalls() };
// What explains a breach is kept, since its home goes away.
const kept = join(root, 'artifacts', 'soak');
mkdirSync(kept, { recursive: true });
writeFileSync(join(kept, 'daemon.log'), stage.log());
writeFileSync(join(kept, 'calls.jsonl'), journal.calls.map((call) => `${JSON.stringify(call)}\n`).join(''));
const files = writeReport(folder, facts, evidence, verdicts);
for (const { name, measured, bound, holds } of verdicts) {
  say(`${holds ? 'holds ' : 'BROKEN'}  ${name}: ${measured} (${bound})`);
}
for (const fault of journal.faults) say(`fault at ${fault}`);
for (const file of files) say(relative(process.cwd(), file));
const broken = verdicts.filter(({ holds }) => !holds).map(({ name }) => name);
if (interrupted.aborted) say('interrupted');
else say(broken.length === 0 ? `passed, all ${verdicts.length} rules hold` : `FAILED: ${broken.join('; ')}`);
process.exitCode = interrupted.aborted ? 130 : Math.min(1, broken.length);
