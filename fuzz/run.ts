// Runs the fuzz targets: for a time or for a number of inputs, from a seed that a failure names together with a file to try again.
//
//   node fuzz/run.ts [--seconds 10 | --runs 1000] [--seed 1] [--target tar-header] [--repro FILE] [--list]
//
// With --seconds it is led by coverage and keeps what it learns in fuzz/corpus; with --runs it is the same each time.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { Attempts, describe, kindOf } from './attempt.ts';
import { Corpus, filesIn } from './corpus.ts';
import { Coverage } from './coverage.ts';
import { minimise } from './minimise.ts';
import { createRandom, mutate, type Random } from './mutate.ts';
import { type Target, usualLongest } from './target.ts';
import { targets } from './targets/index.ts';
import { startWatchdog, type Watchdog } from './watchdog.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    runs: { type: 'string' },
    seed: { type: 'string', default: '1' },
    target: { type: 'string' },
    repro: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
});
const whole = z.coerce.number().int().nonnegative();
const [seconds, seed] = [whole.parse(values.seconds), whole.parse(values.seed)];
const runs = values.runs === undefined ? undefined : whole.parse(values.runs);
/** Part of the time that looking at coverage may take */
const lookShare = 0.3;
const [smallestBatch, largestBatch] = [8, 1024];

interface Work {
  readonly name: string;
  readonly target: Target;
  readonly attempts: Attempts;
  readonly watchdog: Watchdog;
  readonly corpus: Corpus;
  readonly random: Random;
}

class Broken extends Error {
  readonly input: Buffer;
  readonly why: unknown;

  constructor(input: Buffer, why: unknown) {
    super('a target broke its word');
    this.input = input;
    this.why = why;
  }
}

async function run({ attempts, watchdog }: Work, input: Buffer): Promise<void> {
  watchdog.note(input);
  const why = await attempts.try(input);
  if (why !== undefined) throw new Broken(input, why);
}

function next({ target, corpus, random }: Work): Buffer {
  const { examples, words = [], longest = usualLongest, mend } = target;
  const example = (): Buffer => examples[random(examples.length)] ?? Buffer.alloc(0);
  const pick = (): Buffer => (random(5) === 0 ? undefined : corpus.pick(random)) ?? example();
  const input = mutate({ base: pick(), other: pick(), words, longest }, random);
  return mend === undefined || random(2) === 0 ? input : mend(input, random).subarray(0, longest);
}

/** A number of inputs, without a look at what they reach. */
async function runSome(work: Work, wanted: number): Promise<string> {
  const count = work.target.isSlow === true ? Math.ceil(wanted / 10) : wanted;
  for (let done = 0; done < count; done++) await run(work, next(work));
  return `${count} inputs of seed ${seed}`;
}

/** As many as fit into the time; what reaches something new is kept, and others are made from it. */
async function runGuided(work: Work, coverage: Coverage, known: readonly Buffer[]): Promise<string> {
  const { corpus } = work;
  const started = performance.now();
  let count = 0;
  let size = smallestBatch;
  const runAlone = async (input: Buffer): Promise<void> => {
    count++;
    await run(work, input);
    if (coverage.isInputNew()) await corpus.add(input);
  };
  // By halves: most inputs of a batch reach nothing new.
  const findNew = async (inputs: readonly Buffer[]): Promise<void> => {
    if (inputs.length === 1) for (const input of inputs) await runAlone(input);
    if (inputs.length < 2) return;
    const middle = Math.ceil(inputs.length / 2);
    for (const half of [inputs.slice(0, middle), inputs.slice(middle)]) {
      count += half.length;
      for (const input of half) await run(work, input);
      if (coverage.isPartNew()) await findNew(half);
    }
  };
  coverage.isInputNew();
  for (const input of known) await runAlone(input);
  while (performance.now() - started < seconds * 1000) {
    const inputs = Array.from({ length: size }, () => next(work));
    const begun = performance.now();
    for (const input of inputs) await run(work, input);
    count += size;
    const ran = performance.now();
    const isNew = coverage.isBatchNew();
    const looked = performance.now();
    if (isNew) await findNew(inputs);
    const share = (looked - ran) / (looked - begun);
    size = share > lookShare ? Math.min(size * 2, largestBatch) : Math.max(Math.floor(size / 2), smallestBatch);
  }
  const minutes = ((performance.now() - started) / 60_000).toFixed(1);
  return `${count} inputs of seed ${seed} in ${minutes} min, ${coverage.blocks} blocks, ${corpus.inputs.length} kept`;
}

async function fuzz(name: string, target: Target, coverage: Coverage | undefined): Promise<boolean> {
  const hung = join('fuzz', 'repro', `${name}-${seed}-hung.bin`);
  using attempts = new Attempts(target);
  await using watchdog = startWatchdog(hung, againWith(name, hung));
  const folder = join('fuzz', 'corpus', name);
  const corpus = await Corpus.open(coverage === undefined ? join(folder, 'none') : folder);
  const work: Work = { name, target, attempts, watchdog, corpus, random: createRandom(seed) };
  const known = [...target.examples, ...(await filesIn(join('fuzz', 'regressions', name)))];
  try {
    if (coverage === undefined) for (const input of known) await run(work, input);
    const told =
      coverage === undefined
        ? await runSome(work, runs ?? 0)
        : await runGuided(work, coverage, [...known, ...corpus.inputs]);
    process.stdout.write(`${name}: ${told}, no failure\n`);
    return true;
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    await tell(work, error);
    return false;
  }
}

async function tell({ name, attempts, watchdog }: Work, { input, why }: Broken): Promise<void> {
  const smallest = await minimise(input, async (candidate) => {
    watchdog.note(candidate);
    const failure = await attempts.try(candidate);
    return failure !== undefined && kindOf(failure) === kindOf(why);
  });
  const file = join('fuzz', 'repro', `${name}-${seed}-${Date.now()}.bin`);
  await mkdir(join('fuzz', 'repro'), { recursive: true });
  await writeFile(file, smallest);
  process.stderr.write(
    `${name}: an input of seed ${seed} breaks it (${input.length} bytes, made ${smallest.length})\n`,
  );
  process.stderr.write(`${describe(why)}\ntry it again with: ${againWith(name, file)}\n`);
}

function againWith(name: string, file: string): string {
  return `node fuzz/run.ts --target ${name} --repro ${file}`;
}

async function repeat(name: string, target: Target, file: string): Promise<boolean> {
  using attempts = new Attempts(target);
  const failure = await attempts.try(await readFile(file));
  process.stdout.write(`${name}: ${failure === undefined ? 'no failure' : describe(failure)}\n`);
  return failure === undefined;
}

const names = Object.keys(targets).filter((name) => values.target === undefined || values.target === name);
if (values.list) process.stdout.write(`${names.join('\n')}\n`);
else {
  using coverage = runs === undefined ? new Coverage(new URL('../src/', import.meta.url).href) : undefined;
  for (const name of names) {
    const target = await targets[name]?.();
    if (target === undefined) continue;
    const isSound =
      values.repro === undefined ? await fuzz(name, target, coverage) : await repeat(name, target, values.repro);
    if (!isSound) process.exitCode = 1;
  }
}
