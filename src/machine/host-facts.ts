// What this machine offers: QEMU and its version, the CPU, remembered between runs because asking QEMU takes long.
import { readFile, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { PyroError } from '../shared/errors.ts';
import { runCommand } from '../system/command.ts';
import { readVariable } from '../system/environment-variables.ts';
import { readJson, writeJson } from '../system/files.ts';
import { findProgram } from '../system/find-program.ts';

export interface QemuFacts {
  readonly path: string;
  readonly version: string;
  /** Changes whenever the executable does */
  readonly stamp: string;
  /** A template's memory can be opened read-only, from 8.2 on */
  readonly hasReadOnlyMemory: boolean;
}

export const oldestQemu = '7.2';

const cacheSchema = z.object({ stamp: z.string(), version: z.string() });

/** QEMU on this machine. Throws `tool_missing` or, below {@link oldestQemu}, `host_unsupported`. */
export async function inspectQemu(cacheFolder: string): Promise<QemuFacts> {
  const found = await findProgram(readVariable('PYRO_QEMU') ?? 'qemu-system-x86_64');
  if (found === undefined) {
    throw new PyroError('tool_missing', 'QEMU (qemu-system-x86_64) is not installed', {
      hint: 'install it, on Debian or Ubuntu with: sudo apt-get install qemu-system-x86 qemu-utils',
    });
  }
  const path = await realpath(found);
  const status = await stat(path);
  const stamp = `${path}:${status.size}:${status.mtimeMs}`;
  const cacheFile = join(cacheFolder, 'qemu.json');
  const remembered = await readJson(cacheFile, cacheSchema).catch(() => undefined);
  const version = remembered?.stamp === stamp ? remembered.version : await askVersion(path);
  if (remembered?.stamp !== stamp) await writeJson(cacheFile, { stamp, version }).catch(() => undefined);
  if (compareVersions(version, oldestQemu) < 0) {
    throw new PyroError('host_unsupported', `QEMU ${version} is too old; ${oldestQemu} is the oldest that works`, {
      hint: 'install a newer qemu-system-x86, or name another one with PYRO_QEMU=/path/to/qemu-system-x86_64',
      details: { version, oldest: oldestQemu },
    });
  }
  return { path, version, stamp, hasReadOnlyMemory: compareVersions(version, '8.2') >= 0 };
}

async function askVersion(path: string): Promise<string> {
  const { stdout } = await runCommand(path, ['--version'], { timeoutMs: 10_000 });
  const match = /version (\d+\.\d+(?:\.\d+)?)/.exec(stdout);
  if (match?.[1] === undefined) {
    throw new PyroError('host_unsupported', `${path} does not say which QEMU it is`, {
      hint: 'install QEMU from your distribution: sudo apt-get install qemu-system-x86',
    });
  }
  return match[1];
}

/** Negative when `a` is older than `b`. */
export function compareVersions(a: string, b: string): number {
  const left = a.split('.').map(Number);
  const right = b.split('.').map(Number);
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

export interface CpuFacts {
  readonly model: string;
  readonly hasVirtualization: boolean;
  readonly tscKhz: number;
}

export async function inspectCpu(): Promise<CpuFacts> {
  const text = await readFile('/proc/cpuinfo', 'utf8');
  const field = (name: string): string => new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(text)?.[1] ?? '';
  const flags = new Set(field('flags').split(' '));
  const mhz = Number(field('cpu MHz'));
  return {
    model: field('model name'),
    hasVirtualization: flags.has('vmx') || flags.has('svm'),
    tscKhz: Number.isFinite(mhz) && mhz > 0 ? Math.round(mhz * 1000) : 2_000_000,
  };
}
