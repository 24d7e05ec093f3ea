// Starts the executable that prints so many bytes, and reads what a child prints as a pipe's other end would.
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from 'esbuild';

/** The program of `print-size.ts`, bundled into a folder of its own; whoever asks for it removes that. */
export async function bundlePrinter(): Promise<{ readonly folder: string; readonly program: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'po-'));
  const program = join(folder, 'print-size.mjs');
  const entry = new URL('print-size.ts', import.meta.url).pathname;
  await build({ entryPoints: [entry], outfile: program, bundle: true, format: 'esm', platform: 'node' });
  return { folder, program };
}

export function startPrinter(program: string, kind: string, bytes: number): ChildProcess {
  return spawn(process.execPath, [program, kind, String(bytes)], { stdio: ['ignore', 'pipe', 'pipe'] });
}

export interface Printed {
  readonly exitCode: number | null;
  readonly bytes: number;
  readonly digest: string;
  readonly stderr: string;
}

/** Reads all that a child prints, `pauseMs` after each piece. */
export async function readPrinted(child: ChildProcess, pauseMs = 0): Promise<Printed> {
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const hash = createHash('sha256');
  let bytes = 0;
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('utf8');
  });
  for await (const chunk of child.stdout ?? []) {
    if (!Buffer.isBuffer(chunk)) continue;
    hash.update(chunk);
    bytes += chunk.length;
    if (pauseMs > 0) await sleep(pauseMs);
  }
  return { exitCode: await ended, bytes, digest: hash.digest('hex'), stderr };
}
