// What all measurements share: medians, and the facts of the machine that they were made on.
import { arch, cpus, loadavg, release, totalmem } from 'node:os';

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

export function machineFacts(): Record<string, unknown> {
  return {
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    arch: arch(),
    // Other work on the machine shows here: with a load above the cores, times are too long.
    load_of_last_minute: Number((loadavg()[0] ?? 0).toFixed(2)),
  };
}
