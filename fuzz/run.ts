// Runs the fuzz targets: for a time or for a number of inputs, from a seed that a failure names together with a file to try again.
//
//   node fuzz/run.ts [--seconds 10 | --runs 1000] [--seed 1] [--target tar-header] [--repro FILE]
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { isPyroError } from '../src/shared/errors.ts';
import { TarError } from '../src/system/tar-header.ts';
import { createRandom, mutate } from './mutate.ts';
import { type Target, targets } from './targets.ts';
import { startWatchdog } from './watchdog.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    runs: { type: 'string' },
    seed: { type: 'string', default: '1' },
    target: { type: 'string' },
    repro: { type: 'string' },
  },
});
const whole = z.coerce.number().int().nonnegative();
const [seconds, seed] = [whole.parse(values.seconds), whole.parse(values.seed)];
const runs = values.runs === undefined ? Number.POSITIVE_INFINITY : whole.parse(values.runs);
/** An input of at most 64 KiB that takes longer is a way to keep pyro busy, `ms` */
const longestRunMs = 2000;

/** Why the target broke its word on this input, or undefined. */
async function tryInput(target: Target, input: Buffer): Promise<unknown> {
  const started = performance.now();
  try {
    await target.run(input);
  } catch (error) {
    if (!(error instanceof TarError || isPyroError(error)) || isPyroError(error, 'internal')) return error;
  }
  const took = performance.now() - started;
  return took > longestRunMs ? new Error(`took ${Math.round(took)} ms`) : undefined;
}

async function fuzz(name: string, target: Target): Promise<boolean> {
  const random = createRandom(seed);
  const deadline = runs === Number.POSITIVE_INFINITY ? performance.now() + seconds * 1000 : Number.POSITIVE_INFINITY;
  const hung = join('fuzz', 'repro', `${name}-${seed}-hung.bin`);
  const watchdog = startWatchdog(hung, againWith(name, hung));
  let count = 0;
  for (; count < runs && performance.now() < deadline; count++) {
    const input = mutate(target.examples, random);
    watchdog.note(input);
    const failure = input.length === 0 ? undefined : await tryInput(target, input);
    if (failure === undefined) continue;
    const file = join('fuzz', 'repro', `${name}-${seed}-${count}.bin`);
    await mkdir(join('fuzz', 'repro'), { recursive: true });
    await writeFile(file, input);
    process.stderr.write(`${name}: input ${count} of seed ${seed} breaks it\n${describe(failure)}\n`);
    process.stderr.write(`try it again with: ${againWith(name, file)}\n`);
    await watchdog.stop();
    return false;
  }
  await watchdog.stop();
  process.stdout.write(`${name}: ${count} inputs of seed ${seed}, no failure\n`);
  return true;
}

function againWith(name: string, file: string): string {
  return `node fuzz/run.ts --target ${name} --repro ${file}`;
}

function describe(failure: unknown): string {
  return failure instanceof Error ? (failure.stack ?? failure.message) : String(failure);
}

for (const [name, target] of Object.entries(targets)) {
  if (values.target !== undefined && values.target !== name) continue;
  if (values.repro === undefined) {
    if (!(await fuzz(name, target))) process.exitCode = 1;
    continue;
  }
  const failure = await tryInput(target, await readFile(values.repro));
  process.stdout.write(`${name}: ${failure === undefined ? 'no failure' : describe(failure)}\n`);
  if (failure !== undefined) process.exitCode = 1;
}
