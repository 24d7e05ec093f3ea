// Measures what SPECIFICATION.md promises: medians of several runs, ratios within one run, with the machine's facts.
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { writeJson } from '../src/system/files.ts';
import { machineFacts, median } from './facts.ts';

const root = new URL('..', import.meta.url).pathname;
const executable = join(root, 'bin', 'pyro');
const rounds = 10;
const resultSchema = z.object({ boot_ms: z.number(), duration_ms: z.number(), accelerator: z.string() });

function time(command: string, args: readonly string[], input?: Buffer): number {
  const started = performance.now();
  const { status } = spawnSync(command, args, {
    input,
    stdio: [input === undefined ? 'ignore' : 'pipe', 'ignore', 'ignore'],
  });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}`);
  return performance.now() - started;
}

function measure(command: string, args: readonly string[], input?: Buffer, count = rounds): number {
  time(command, args, input);
  return median(Array.from({ length: count }, () => time(command, args, input)));
}

/** Boot, and boot to first command done, `ms`, as the engine reports them. */
function boots(...options: string[]): { boot: number; firstCommand: number; accelerator: string } {
  const results = Array.from({ length: rounds }, () => {
    const { stdout } = spawnSync(executable, ['run', 'debian:12', '--json', ...options, '--', 'true'], {
      encoding: 'utf8',
    });
    return resultSchema.parse(JSON.parse(stdout));
  });
  return {
    boot: median(results.map((each) => each.boot_ms)),
    firstCommand: median(results.map((each) => each.boot_ms + each.duration_ms)),
    accelerator: results[0]?.accelerator ?? 'none',
  };
}

/** Memory of one idle restored guest, `MiB`: PSS, and the part that is private and anonymous. */
async function idleMemory(): Promise<{ pss: number; own: number }> {
  const child = spawn(executable, ['run', 'debian:12', '--', 'sleep', '20'], { stdio: 'ignore' });
  await sleep(4000);
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const qemu = pids.find((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('-name\0pyro-');
    } catch {
      return false;
    }
  });
  const text = readFileSync(`/proc/${qemu}/smaps_rollup`, 'utf8');
  const field = (name: string): number =>
    Math.round(Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1]) / 1024);
  child.kill('SIGINT');
  await new Promise((resolve) => child.once('exit', resolve));
  return { pss: field('Pss'), own: field('Pss_Anon') };
}

const restored = boots();
const cold = boots('--cold');
const bytes = Buffer.alloc(64 * 1024 * 1024);
const run = measure(executable, ['run', 'debian:12', '--', 'true']);
const runCold = measure(executable, ['run', 'debian:12', '--cold', '--', 'true']);
const version = measure(executable, ['--version'], undefined, 30);
const bareNode = measure(process.execPath, ['-e', '0'], undefined, 30);
const memory = await idleMemory();
const results = {
  machine: machineFacts(),
  accelerator: restored.accelerator,
  rounds,
  cold_boot_ms: cold.boot,
  cold_boot_to_first_command_ms: cold.firstCommand,
  restore_ms: restored.boot,
  restore_to_first_command_ms: restored.firstCommand,
  run_ms: Math.round(run),
  run_cold_ms: Math.round(runCold),
  send_64_mib_ms: Math.round(measure(executable, ['run', 'debian:12', '--', 'sh', '-c', 'cat >/dev/null'], bytes, 5)),
  receive_64_mib_ms: Math.round(
    measure(executable, ['run', 'debian:12', '--', 'head', '-c', '67108864', '/dev/zero'], undefined, 5),
  ),
  version_ms: Math.round(version),
  bare_node_ms: Math.round(bareNode),
  idle_pss_mib: memory.pss,
  idle_own_mib: memory.own,
  ratios: {
    restore_to_cold: Number((restored.firstCommand / cold.firstCommand).toFixed(3)),
    run_to_run_cold: Number((run / runCold).toFixed(3)),
    version_to_bare_node: Number((version / bareNode).toFixed(2)),
  },
};
await writeJson(join(root, 'bench', 'results', `${restored.accelerator}.json`), results, 0o644);
process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
