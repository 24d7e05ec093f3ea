// What the command line prints at full size: it arrives whole, and the process that prints it stays small.
import { readFileSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bundlePrinter, readPrinted, startPrinter } from '../support/printed.ts';
import { largestOutput } from '../support/size.ts';

let folder = '';
let program = '';

beforeAll(async () => {
  ({ folder, program } = await bundlePrinter());
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it(`prints ${largestOutput} bytes into a pipe within the memory of a few`, async () => {
  const child = startPrinter(program, 'stream', largestOutput);
  let peak = 0;
  const watch = setInterval(() => {
    try {
      peak = Math.max(
        peak,
        Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'latin1'))?.[1] ?? 0),
      );
    } catch {
      // It has ended.
    }
  }, 50);
  try {
    const printed = await readPrinted(child);
    expect(printed).toMatchObject({ exitCode: 3, bytes: largestOutput, stderr: '' });
    expect(peak).toBeGreaterThan(0);
    expect(peak).toBeLessThan(150 * 1024);
  } finally {
    clearInterval(watch);
  }
});
