// Output and input of a command in a guest at full size, whoever reads: whole, at the reader's pace, in a daemon that stays small.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { peakOfDaemon, renewDaemon } from '../support/daemon-peak.ts';
import { readPrinted } from '../support/printed.ts';
import { pyro } from '../support/pyro.ts';
import { isFullSize, largestOutput } from '../support/size.ts';

const executable = new URL('../../bin/pyro', import.meta.url).pathname;
const mebibyte = 1024 * 1024;
/** Emulated guests take little of it in a second */
const largestInput = isFullSize ? 256 * mebibyte : 16 * mebibyte;
const mostDaemonMib = 300;
let id = '';

beforeAll(async () => {
  id = (await pyro(['workspace', 'create', '--empty', '--quiet'])).stdout.toString('utf8').trim();
});
beforeEach(renewDaemon);
afterAll(async () => {
  await pyro(['workspace', 'delete', id]);
});

function start(line: string): ChildProcess {
  const child = spawn(executable, ['workspace', 'exec', id, '--timeout-seconds', '0', '--', line], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin?.on('error', () => undefined);
  return child;
}

/** What a file of zeroes of this length has as its digest. */
function digestOfZeroes(bytes: number): string {
  const hash = createHash('sha256');
  const piece = Buffer.alloc(mebibyte);
  for (let left = bytes; left > 0; left -= mebibyte) hash.update(left < mebibyte ? piece.subarray(0, left) : piece);
  return hash.digest('hex');
}

it.each([1024, 65_537, mebibyte, largestOutput])('brings %i bytes of output home whole', async (bytes) => {
  const child = start(`head -c ${bytes} /dev/zero`);
  child.stdin?.end();
  const printed = await readPrinted(child);
  expect(printed).toEqual({ exitCode: 0, bytes, digest: digestOfZeroes(bytes), stderr: '' });
  expect(await peakOfDaemon()).toBeLessThan(mostDaemonMib);
});

it('waits for a slow reader, and so does the command', async () => {
  const child = start(`head -c ${8 * mebibyte} /dev/zero`);
  child.stdin?.end();
  const printed = await readPrinted(child, 5);
  expect(printed).toMatchObject({ exitCode: 0, bytes: 8 * mebibyte, stderr: '' });
});

it(`passes ${largestInput} bytes of input on whole`, async () => {
  const line = `head -c ${largestInput} /dev/zero | '${executable}' workspace exec ${id} --timeout-seconds 0 -- sha256sum`;
  const child = spawnSync('bash', ['-c', line], { encoding: 'utf8' });
  expect(child).toMatchObject({ status: 0, stdout: `${digestOfZeroes(largestInput)}  -\n`, stderr: '' });
  expect(await peakOfDaemon()).toBeLessThan(mostDaemonMib);
});

it('says that a full device did not take the output of a command', () => {
  const line = `'${executable}' workspace exec ${id} -- 'head -c 3000000 /dev/zero' >/dev/full </dev/null`;
  const child = spawnSync('bash', ['-c', line], { encoding: 'utf8' });
  expect(child.status).toBe(1);
  expect(child.stderr).toMatch(/^error: standard output could not be written in full: no room left on the device\n/);
});

it('gives large results whole as JSON too', async () => {
  const bytes = 12 * mebibyte;
  const { stdout, exitCode } = await pyro([
    'workspace',
    'exec',
    id,
    '--json',
    '--',
    `head -c ${bytes} /dev/zero | tr '\\0' a`,
  ]);
  expect(exitCode).toBe(0);
  const result = z.object({ stdout: z.string(), truncated: z.boolean() }).parse(JSON.parse(stdout.toString('utf8')));
  expect(result.truncated).toBe(false);
  expect(result.stdout).toHaveLength(bytes);
  expect(await peakOfDaemon()).toBeLessThan(mostDaemonMib);
});
