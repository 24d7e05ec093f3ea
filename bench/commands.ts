// What a user waits for: whole commands, from a template and cold, and the start of the program itself.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { z } from 'zod';
import { mebibyte } from '../src/shared/units.ts';
import { measureCommand } from './clock.ts';
import { median } from './facts.ts';

const executable = join(new URL('..', import.meta.url).pathname, 'bin', 'pyro');
const resultSchema = z.object({ boot_ms: z.number(), duration_ms: z.number() });

/** Boot, and boot to first command done, `ms`, as the engine reports them. */
function boots(rounds: number, ...options: string[]): { boot: number; firstCommand: number } {
  const results = Array.from({ length: rounds }, () => {
    const { stdout } = spawnSync(executable, ['run', 'debian:12', '--json', ...options, '--', 'true'], {
      encoding: 'utf8',
    });
    return resultSchema.parse(JSON.parse(stdout));
  });
  return {
    boot: median(results.map((each) => each.boot_ms)),
    firstCommand: median(results.map((each) => each.boot_ms + each.duration_ms)),
  };
}

export function measureCommands(rounds: number) {
  const run = ['run', 'debian:12'];
  const restored = boots(rounds);
  const cold = boots(rounds, '--cold');
  const bulk = Buffer.alloc(64 * mebibyte);
  const few = Math.ceil(rounds / 2);
  const times = {
    cold_boot_ms: cold.boot,
    cold_boot_to_first_command_ms: cold.firstCommand,
    restore_ms: restored.boot,
    restore_to_first_command_ms: restored.firstCommand,
    run_ms: Math.round(measureCommand(executable, [...run, '--', 'true'], rounds)),
    run_cold_ms: Math.round(measureCommand(executable, [...run, '--cold', '--', 'true'], rounds)),
    send_64_mib_ms: Math.round(measureCommand(executable, [...run, '--', 'sh', '-c', 'cat >/dev/null'], few, bulk)),
    receive_64_mib_ms: Math.round(
      measureCommand(executable, [...run, '--', 'head', '-c', `${bulk.length}`, '/dev/zero'], few),
    ),
    version_ms: Math.round(measureCommand(executable, ['--version'], 3 * rounds)),
    bare_node_ms: Math.round(measureCommand(process.execPath, ['-e', '0'], 3 * rounds)),
  };
  const ratios = {
    restore_to_cold: Number((times.restore_to_first_command_ms / times.cold_boot_to_first_command_ms).toFixed(3)),
    run_to_run_cold: Number((times.run_ms / times.run_cold_ms).toFixed(3)),
    version_to_bare_node: Number((times.version_ms / times.bare_node_ms).toFixed(2)),
  };
  return { times, ratios };
}
