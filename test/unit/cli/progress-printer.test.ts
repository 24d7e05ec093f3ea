// What a person sees of long work: on a terminal of any width, through a pipe, and not at all.
import { afterEach, expect, it, vi } from 'vitest';
import { createProgressPrinter, type ProgressPrinter } from '../../../src/cli/progress-printer.ts';

let written = '';
let columns = 80;
let now = 0;
afterEach(() => {
  written = '';
  columns = 80;
  now = 0;
  vi.useRealTimers();
});

function printer(isLive: boolean): ProgressPrinter {
  const write = (text: string): void => {
    written += text;
  };
  return createProgressPrinter(false, { write, columns: () => columns, isLive, now: () => now });
}

/** The lines in the order in which they were drawn; each takes the one before it away. */
function drawn(): string[] {
  return written
    .split('\r\u001b[J')
    .slice(1)
    .map((text) => text.replaceAll('\u001b[?7l', '').replaceAll('\u001b[?7h\r', ''));
}

it('bytes, all of them and percent stand on one line, which is taken away at the end', () => {
  const { onProgress, end } = printer(true);
  onProgress({ phase: 'download', message: 'downloading 2 layers', doneBytes: 1_048_576, totalBytes: 4_194_304 });
  onProgress({ phase: 'image', message: 'packing the image', doneBytes: 5, totalBytes: 4 });
  end();
  expect(drawn()).toEqual([
    'downloading 2 layers: 1.0 MiB of 4.0 MiB (25 %)',
    'packing the image: 5 B of 4 B (100 %)',
    '',
  ]);
  expect(written).not.toContain('\n');
});

it('amounts are drawn now and then, a new step at once', () => {
  const { onProgress, end } = printer(true);
  for (now = 0; now < 250; now += 10) onProgress({ phase: 'a', message: 'a', doneBytes: now });
  onProgress({ phase: 'b', message: 'b' });
  end();
  expect(drawn()).toEqual(['a: 0 B', 'a: 100 B', 'a: 200 B', 'b', '']);
});

it('a step that takes long shows its time by itself', () => {
  vi.useFakeTimers();
  const { onProgress, end } = printer(true);
  onProgress({ phase: 'boot', message: 'booting' });
  for (now = 1000; now <= 4000; now += 1000) vi.advanceTimersByTime(1000);
  end();
  vi.advanceTimersByTime(5000);
  expect(drawn()).toEqual(['booting', 'booting', 'booting', 'booting, 3 s', 'booting, 4 s', '']);
});

it('the line is never as wide as the terminal, and keeps its amounts', () => {
  const { onProgress, end } = printer(true);
  const progress = { phase: 'seed', message: 'packing 100 entries of /a/long/path', doneBytes: 1, totalBytes: 2 };
  for (columns of [60, 40, 20, 5, 1]) {
    now += 1000;
    onProgress(progress);
  }
  end();
  expect(drawn()).toEqual([
    'packing 100 entries of /a/long/path: 1 B of 2 B (50 %)',
    'packing 100 entries…: 1 B of 2 B (50 %)',
    '1 B of 2 B (50 %)',
    '1 B ',
    '',
    '',
  ]);
});

it('names of others are no orders to the terminal', () => {
  const { onProgress } = printer(true);
  onProgress({ phase: 'seed', message: 'packing \u001b[2J' });
  expect(drawn()).toEqual(['packing \\x1b[2J']);
});

it('through a pipe each step is a line without amounts, and passing ones are none', () => {
  const { onProgress, end } = printer(false);
  onProgress({ phase: 'changes', message: 'reading the changes', doneBytes: 3, isPassing: true });
  onProgress({ phase: 'exec', message: 'running for 1 s, 5 B of output' });
  onProgress({ phase: 'exec', message: 'running for 2 s, 6 KiB of output' });
  onProgress({ phase: 'boot', message: 'boot' });
  end();
  expect(written).toBe('[exec] running for 1 s, 5 B of output\nboot\n');
});

it('a quiet one says nothing', () => {
  const write = (text: string): void => {
    written += text;
  };
  const screen = { write, columns: () => 80, isLive: true, now: () => 0 };
  const { onProgress, end } = createProgressPrinter(true, screen);
  onProgress({ phase: 'a', message: 'a' });
  end();
  expect(written).toBe('');
});
