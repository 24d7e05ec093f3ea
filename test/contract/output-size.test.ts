// What the command line prints, at sizes beyond every buffer: it arrives whole, or the exit code says that it did not.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundlePrinter, type Printed, readPrinted, startPrinter } from '../support/printed.ts';

const mebibyte = 1024 * 1024;
const kinds = ['text', 'json', 'unawaited', 'stream'];
let folder = '';
let program = '';

beforeAll(async () => {
  ({ folder, program } = await bundlePrinter());
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The same into a file, which needs no reader. */
function intoFile(kind: string, bytes: number, shell = ''): Printed & { readonly path: string } {
  const path = join(folder, 'out');
  const line = `${shell} exec "$0" "$@" >'${path}'`;
  const child = spawnSync('bash', ['-c', line, process.execPath, program, kind, String(bytes)], { encoding: 'utf8' });
  const content = readFileSync(path);
  const digest = createHash('sha256').update(content).digest('hex');
  return { exitCode: child.status, bytes: content.length, digest, stderr: child.stderr, path };
}

describe.each(kinds)('%s', (kind) => {
  it.each([1024, 65_536, 65_537, mebibyte, 64 * mebibyte])('gives %i bytes whole to a pipe', async (bytes) => {
    const piped = await readPrinted(startPrinter(program, kind, bytes));
    const filed = intoFile(kind, bytes);
    expect(filed.bytes).toBeGreaterThanOrEqual(bytes);
    expect(piped).toEqual({ exitCode: 3, bytes: filed.bytes, digest: filed.digest, stderr: '' });
    expect(filed.exitCode).toBe(3);
  });

  it('waits for a slow reader', async () => {
    const filed = intoFile(kind, mebibyte);
    const piped = await readPrinted(startPrinter(program, kind, mebibyte), 20);
    expect(piped).toEqual({ exitCode: 3, bytes: filed.bytes, digest: filed.digest, stderr: '' });
  });

  it('ends quietly when the reader goes away', async () => {
    const child = startPrinter(program, kind, 8 * mebibyte);
    child.stdout?.once('data', () => child.stdout?.destroy());
    let stderr = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr += chunk.toString('utf8');
    });
    const exitCode = await new Promise((resolve) => child.once('close', resolve));
    expect(stderr).toBe('');
    expect(exitCode).toBe(kind === 'unawaited' ? 3 : 141);
  });

  it.each([1024, mebibyte])('says that a full device did not take %i bytes', (bytes) => {
    const line = 'exec "$0" "$@" >/dev/full';
    const child = spawnSync('bash', ['-c', line, process.execPath, program, kind, String(bytes)], { encoding: 'utf8' });
    expect(child.stderr).toMatch(
      /^error: standard output could not be written in full: no room left on the device\nhint: /,
    );
    expect(child.stderr.split('\n')).toHaveLength(3);
    expect(child.status).toBe(1);
  });

  it('says so also when the last piece was taken in part only', () => {
    // Of one write the system takes what still fits and calls that a success.
    const filed = intoFile(kind, mebibyte, 'ulimit -f 64;');
    expect(statSync(filed.path).size).toBe(64 * 1024);
    expect(filed.stderr).toMatch(/^error: standard output could not be written in full: /);
    expect(filed.exitCode).toBe(1);
  });
});

it('gives a long error to a slow reader of standard error, as much as an error may have, with its hint', async () => {
  const child = startPrinter(program, 'error', mebibyte);
  let text = '';
  const ended = new Promise((resolve) => child.once('close', resolve));
  for await (const chunk of child.stderr ?? []) {
    text += chunk;
    await sleep(20);
  }
  expect(await ended).toBe(3);
  expect(text.length).toBeGreaterThan(10_000);
  expect(text.endsWith('\n')).toBe(true);
});

it('keeps the order of both streams in one file', () => {
  const line = '{ "$0" "$1" text 100000; "$0" "$1" error 100; } >"$2" 2>&1';
  const path = join(folder, 'both');
  spawnSync('bash', ['-c', line, process.execPath, program, path]);
  expect(readFileSync(path, 'utf8').indexOf('error: ')).toBeGreaterThan(90_000);
});
