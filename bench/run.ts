// Measures what SPECIFICATION.md promises: medians of several runs, ratios within one run, with the machine's facts.
//
//   node bench/run.ts [--rounds 10] [--only commands|guest]     with --only the results are printed, not written
import { arch, cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { gibibyte } from '../src/shared/units.ts';
import { writeJson } from '../src/system/files.ts';
import { measureCommands } from './commands.ts';
import { measureRunningGuest } from './running-guest.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '10' }, only: { type: 'string' } } });
const rounds = z.coerce.number().int().positive().parse(values.rounds);
const only = z.enum(['commands', 'guest']).optional().parse(values.only);

// The load before: on a machine that does other work the times are of little worth.
const load = Number((loadavg()[0] ?? 0).toFixed(2));
const guest = only === 'commands' ? undefined : await measureRunningGuest(rounds);
const commands = only === 'guest' ? undefined : measureCommands(rounds);
const results = {
  machine: {
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    memory_gib: Math.round(totalmem() / gibibyte),
    kernel: release(),
    arch: arch(),
    qemu: guest?.qemu,
    load,
  },
  accelerator: guest?.accelerator,
  rounds,
  ...commands?.times,
  ...guest?.times,
  ...guest?.memory,
  ratios: commands?.ratios,
};
if (only === undefined) {
  const folder = join(new URL('.', import.meta.url).pathname, 'results');
  await writeJson(join(folder, `${results.accelerator}.json`), results, 0o644);
}
process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
