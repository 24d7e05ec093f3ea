// Calls with streams, with real processes: input and output at any pace, signals, and readers and daemons that go away.
import type { ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { contentOf, type FakeHome, openHome, until } from '../support/fake.ts';
import { readPrinted } from '../support/printed.ts';

const mebibyte = 1024 * 1024;
let home: FakeHome;
let mark = '';
beforeEach(() => {
  home = openHome();
  mark = home.path('mark');
});
afterEach(async () => {
  await home[Symbol.asyncDispose]();
});

const failureSchema = z.object({
  error: z.object({ code: z.string(), hint: z.string().nullable() }),
  left: z.string().nullable(),
});

function live(input: Readonly<Record<string, unknown>>): ChildProcess {
  const child = home.start(['live', 'fake.live', JSON.stringify({ mark, ...input })]);
  child.stdin?.on('error', () => undefined);
  return child;
}

/** Waits until the daemon has begun the call; one that ends before says why. */
async function started(child: ChildProcess): Promise<void> {
  await until(() => {
    if (child.exitCode !== null) throw new Error(`the call ended before it began: ${child.stderr?.read()}`);
    return contentOf(mark).includes('started');
  });
}

/** Most memory that the daemon has ever had, `MiB` */
async function peakOfDaemon(): Promise<number> {
  const pid = (await home.status())?.pid;
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) / 1024;
}

it('brings much output whole, at the pace of its reader, with little memory', async () => {
  const child = live({ bytes: 96 * mebibyte });
  const stdout = child.stdout;
  child.stdin?.end();
  await started(child);
  // The time itself is what is tried: while nobody reads, what is written waits where it comes from.
  stdout?.pause();
  await new Promise((resolve) => setTimeout(resolve, 500));
  const printed = await readPrinted(child);
  expect(printed).toMatchObject({ exitCode: 0, bytes: 96 * mebibyte });
  expect(await peakOfDaemon()).toBeLessThan(200);
});

it('passes input on whole, in two calls at once', async () => {
  const bytes = randomBytes(24 * mebibyte);
  const digest = createHash('sha256').update(bytes).digest('hex');
  const children = [live({ copy: true }), live({ copy: true })];
  for (const child of children) child.stdin?.end(bytes);
  for (const printed of await Promise.all(children.map((child) => readPrinted(child)))) {
    expect(printed).toMatchObject({ exitCode: 0, bytes: bytes.length, digest });
    expect(JSON.parse(printed.stderr)).toEqual({ output: { received: bytes.length, signal: null } });
  }
  expect(await peakOfDaemon()).toBeLessThan(200);
});

it('reads no input that the command does not ask for, and sends a signal past what waits', async () => {
  const child = live({ hang: true });
  child.stdin?.write(Buffer.alloc(8 * mebibyte));
  await started(child);
  child.kill('SIGINT');
  const printed = await readPrinted(child);
  expect(JSON.parse(printed.stderr)).toEqual({ output: { received: 0, signal: 'INT' } });
});

it('ends the command when the reader has gone, quietly', async () => {
  const child = live({ bytes: 512 * mebibyte });
  child.stdin?.end();
  await started(child);
  child.stdout?.once('data', () => child.stdout?.destroy());
  const stderr = await textOf(child.stderr);
  expect(failureSchema.parse(JSON.parse(stderr)).error.code).toBe('output_closed');
  await until(() => contentOf(mark).includes('PIPE'));
});

it('leaves the command running when the caller is killed', async () => {
  const child = live({ hang: true });
  await started(child);
  child.kill('SIGKILL');
  await until(() => contentOf(mark).includes('left'));
});

it('leaves it running at the second Ctrl-C, and says how to follow it', async () => {
  const child = live({ copy: true });
  await started(child);
  const stderr = textOf(child.stderr);
  child.kill('SIGINT');
  await until(() => contentOf(mark).includes('INT'));
  child.kill('SIGINT');
  expect(failureSchema.parse(JSON.parse(await stderr))).toMatchObject({
    error: { code: 'cancelled' },
    left: 'pyro fake follow',
  });
  await until(() => contentOf(mark).includes('left'));
  expect(contentOf(mark)).not.toContain('cancelled');
});

it('says how to follow the command when the daemon is killed', async () => {
  const child = live({ hang: true });
  await started(child);
  process.kill((await home.status())?.pid ?? 0, 'SIGKILL');
  const { error } = failureSchema.parse(JSON.parse(await textOf(child.stderr)));
  expect(error).toMatchObject({ code: 'daemon_lost', hint: expect.stringContaining('pyro fake follow') });
});

async function textOf(stream: ChildProcess['stderr']): Promise<string> {
  let text = '';
  for await (const chunk of stream ?? []) text += Buffer.from(chunk).toString('utf8');
  return text;
}
