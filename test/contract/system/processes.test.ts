// Whether a process still runs, as those see it who wait for its files.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { identifyProcess } from '../../../src/system/processes.ts';

const hasPython = spawnSync('python3', ['--version']).status === 0;

/** Its first thread ends by the system call that ends one thread alone; another one reads on. */
const firstThreadEnds = `
import ctypes, sys, threading
threading.Thread(target=lambda: sys.stdin.buffer.read(1)).start()
ctypes.CDLL(None).syscall(60, 0)
`;

describe('a process', () => {
  it.skipIf(!hasPython)(
    `whose first thread has ended runs until its last one has${hasPython ? '' : ' (skipped: no python3)'}`,
    async () => {
      const child = spawn('python3', ['-c', firstThreadEnds], { stdio: ['pipe', 'ignore', 'ignore'] });
      const pid = child.pid ?? 0;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      await expect.poll(() => readFileSync(`/proc/${pid}/stat`, 'latin1'), { timeout: 20_000 }).toContain(') Z ');
      expect(identifyProcess(pid)).toMatchObject({ pid });
      child.kill('SIGKILL');
      await ended;
      expect(identifyProcess(pid)).toBeUndefined();
    },
  );
});

describe('a program that is tied to us', () => {
  it('ends with a parent that is killed', async () => {
    const script = `
      const { runCommand } = await import(${JSON.stringify(new URL('../../../src/system/command.ts', import.meta.url).href)});
      await runCommand('sh', ['-c', 'echo $$ >&2; exec sleep 300'], {
        endsWithUs: true,
        onStderr: (text) => process.stdout.write(text),
      });`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const pid = await new Promise<number>((resolve) => {
      parent.stdout.once('data', (chunk: Buffer) => resolve(Number(chunk.toString('utf8'))));
    });
    expect(identifyProcess(pid)).toMatchObject({ pid });
    parent.kill('SIGKILL');
    await expect.poll(() => identifyProcess(pid), { timeout: 20_000 }).toBeUndefined();
  });
});
