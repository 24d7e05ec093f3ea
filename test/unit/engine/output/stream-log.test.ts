// Tests of bounded logs: offsets that never shift, the oldest that goes, gaps that are told.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { StreamLog } from '../../../../src/engine/output/stream-log.ts';

const root = mkdtempSync(join(tmpdir(), 'pyro-log-'));
let count = 0;
const folder = (): string => join(root, `${count++}`);
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Bytes that tell their own offset. */
function bytesAt(offset: number, length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, index) => ((offset + index) * 7 + ((offset + index) >> 8)) % 251));
}

describe('a stream log', () => {
  it('gives back what was written, at its offset, also when opened anew', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 30 }),
        fc.nat(4000),
        fc.nat(2000),
        async (sizes, offset, length) => {
          const place = folder();
          let log = await StreamLog.open(place, 100_000);
          for (const [index, size] of sizes.entries()) {
            await log.append(bytesAt(log.end, size));
            if (index % 7 === 3) {
              await log[Symbol.asyncDispose]();
              log = await StreamLog.open(place, 100_000);
            }
          }
          const total = sizes.reduce((sum, size) => sum + size, 0);
          expect(log).toMatchObject({ start: 0, end: total });
          const { from, bytes } = await log.read(offset, length);
          expect(from).toBe(offset);
          expect(bytes.equals(bytesAt(offset, Math.max(0, Math.min(length, total - offset))))).toBe(true);
          await log[Symbol.asyncDispose]();
        },
      ),
      { numRuns: 40 },
    );
  });

  it('keeps the newest bytes and at least as many as promised', async () => {
    const place = folder();
    const log = await StreamLog.open(place, 8000);
    for (let turn = 0; turn < 100; turn++) await log.append(bytesAt(log.end, 777));
    expect(log.end).toBe(77_700);
    expect(log.end - log.start).toBeGreaterThanOrEqual(8000);
    expect(log.end - log.start).toBeLessThanOrEqual(9000);
    const { from, bytes } = await log.read(0, 100);
    expect(from).toBe(log.start);
    expect(bytes.equals(bytesAt(from, 100))).toBe(true);
    await log[Symbol.asyncDispose]();
    expect(readdirSync(place).length).toBeLessThanOrEqual(9);
    expect((await StreamLog.open(place, 8000)).start).toBe(log.start);
  });

  it('tells of bytes that never came', async () => {
    const log = await StreamLog.open(folder(), 8000);
    await log.append(bytesAt(0, 50));
    await log.skip(200);
    await log.append(bytesAt(200, 50));
    expect(await log.read(20, 1000)).toEqual({ from: 20, bytes: bytesAt(20, 30) });
    expect(await log.read(50, 1000)).toEqual({ from: 200, bytes: bytesAt(200, 50) });
    expect(log.end).toBe(250);
    await log[Symbol.asyncDispose]();
  });

  it('loses what a full disk does not take, and nothing else', async () => {
    const place = folder();
    mkdirSync(place);
    const log = await StreamLog.open(place, 80);
    await log.append(bytesAt(0, 8));
    // Segments of 10 bytes; there is no room for files that begin here.
    for (const start of [10, 15, 20]) symlinkSync('/dev/full', join(place, String(start).padStart(16, '0')));
    for (const [at, length] of [
      [8, 7],
      [15, 5],
      [20, 5],
    ] as const)
      await log.append(bytesAt(at, length));
    expect(log.end).toBe(25);
    expect(await log.read(0, 100)).toEqual({ from: 0, bytes: bytesAt(0, 10) });
    expect(await log.read(10, 100)).toEqual({ from: 25, bytes: Buffer.alloc(0) });
    await log.append(bytesAt(25, 5));
    expect(await log.read(10, 100)).toEqual({ from: 25, bytes: bytesAt(25, 5) });
    await log[Symbol.asyncDispose]();
  });

  it('wakes whoever waits', async () => {
    const log = await StreamLog.open(folder(), 8000);
    const changed = log.changed();
    await log.append(Buffer.from('x'));
    await changed;
    await log[Symbol.asyncDispose]();
  });
});
