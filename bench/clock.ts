// Times: of a whole command as a user waits for it, and the median of several.
import { spawnSync } from 'node:child_process';
import { median } from './facts.ts';

/** One run of a command that must end with 0, `ms` */
function timeCommand(command: string, args: readonly string[], input?: Buffer): number {
  const started = performance.now();
  const stdin = input === undefined ? 'ignore' : 'pipe';
  const { status } = spawnSync(command, args, { input, stdio: [stdin, 'ignore', 'ignore'] });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}`);
  return performance.now() - started;
}

/** Median of `count` runs after one that warms up, `ms` */
export function measureCommand(command: string, args: readonly string[], count: number, input?: Buffer): number {
  timeCommand(command, args, input);
  return median(Array.from({ length: count }, () => timeCommand(command, args, input)));
}

/** Median of `count` turns after one that warms up, `ms` */
export async function measure(count: number, work: () => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let turn = -1; turn < count; turn++) {
    const started = performance.now();
    await work();
    if (turn >= 0) times.push(performance.now() - started);
  }
  return median(times);
}
