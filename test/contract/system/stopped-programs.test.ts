// SIGSTOP of the programs that pyro calls: whoever waits for one hears of it, can cancel, and nothing is left stopped.
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { seedJob } from '../../../src/engine/guests/seed-job.ts';
import { openJobProcesses } from '../../../src/engine/jobs/job-processes.ts';
import { noConfinement } from '../../../src/machine/confinement.ts';
import { runImageTool } from '../../../src/machine/image-tool.ts';
import { startQemu } from '../../../src/machine/qemu-process.ts';
import { SecretSet } from '../../../src/secrets/secret-set.ts';
import { runCommand } from '../../../src/system/command.ts';
import { tryCommandNow } from '../../../src/system/command-now.ts';
import { identifyProcess } from '../../../src/system/processes.ts';
import { killNow } from '../../support/kill.ts';
import { folderForAll } from '../../support/own-folder.ts';
import { until } from '../../support/until.ts';

const main = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));
const stopped = { code: 'tool_failed', message: expect.stringMatching(/stopped by a signal \(SIGSTOP\)/) };
let folder = '';
folderForAll('pyro-stopped-', (made) => {
  folder = made;
});

/** A program that stops itself as soon as it runs, by this name, among programs of the test's own. */
function plant(name: string): string {
  const bin = join(folder, `bin-${name}`);
  mkdirSync(bin);
  const path = join(bin, name);
  writeFileSync(path, `#!/bin/sh\necho $$ > ${join(folder, `${name}.pid`)}\nkill -STOP $$\nexec sleep 600\n`);
  chmodSync(path, 0o755);
  return path;
}

const pidOf = (name: string): number => Number(readFileSync(join(folder, `${name}.pid`), 'utf8'));

function isStopped(name: string): boolean {
  try {
    return readFileSync(`/proc/${pidOf(name)}/stat`, 'latin1').includes(') T ');
  } catch {
    // It has not begun.
    return false;
  }
}

/** Processes of jobs of this test. */
function jobProcesses(): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => {
    try {
      const isJob = readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('\0__job');
      return isJob && readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ')[1] === `${process.pid}`;
    } catch {
      return false;
    }
  });
}

describe.concurrent('a program that is stopped', () => {
  it('is ended and its call says so, also one below another, such as a tool that is shut in', async () => {
    const calls = [runCommand(plant('one'), []), runCommand('sh', ['-c', `sh ${plant('inner')}; echo on`])];
    for (const each of await Promise.allSettled(calls)) expect(each).toMatchObject({ reason: stopped });
    expect(identifyProcess(pidOf('one'))).toBeUndefined();
    await until(() => identifyProcess(pidOf('inner')) === undefined);
  });

  it('ends with its call at once when that is cancelled, and may tidy up', async () => {
    const cancelling = new AbortController();
    const done = join(folder, 'tidied');
    const script = `trap 'echo > ${done}; exit' TERM; echo $$ > ${folder}/two.pid; kill -STOP $$; sleep 600 & wait`;
    const call = runCommand('sh', ['-c', script], { signal: cancelling.signal });
    await until(() => isStopped('two'));
    const startedAt = performance.now();
    cancelling.abort();
    await expect(call).rejects.toMatchObject({ code: 'cancelled' });
    expect(performance.now() - startedAt).toBeLessThan(2000);
    expect(readdirSync(folder)).toContain('tidied');
    expect(identifyProcess(pidOf('two'))).toBeUndefined();
  });

  it('that goes on in time is left alone', async () => {
    const script = `echo $$ > ${folder}/three.pid; kill -STOP $$; echo on`;
    const call = runCommand('sh', ['-c', script]);
    await until(() => isStopped('three'));
    killNow(pidOf('three'), 'SIGCONT');
    expect(await call).toMatchObject({ stdout: 'on\n' });
  });

  it('and is qemu-img is told by its name', async () => {
    plant('qemu-img');
    vi.stubEnv('PATH', `${join(folder, 'bin-qemu-img')}:${process.env['PATH']}`);
    const call = { args: ['info'], write: [], sizeMib: 1 };
    await expect(runImageTool(noConfinement('a test'), call, AbortSignal.timeout(60_000))).rejects.toMatchObject({
      ...stopped,
      message: expect.stringContaining('qemu-img was stopped'),
    });
  });

  it('and everything is held up for is killed at its deadline', () => {
    expect(() => tryCommandNow(plant('now'), [], { timeoutMs: 300 })).toThrow('did not finish within 300 ms');
    expect(identifyProcess(pidOf('now'))).toBeUndefined();
  });

  it('and is what shuts QEMU in ends the start, and QEMU is not started without it', async () => {
    const told: string[] = [];
    const start = async (name: string, messageFile: string | undefined): Promise<unknown> =>
      await startQemu({
        qemu: '/bin/echo',
        args: ['runs'],
        stateFd: undefined,
        confined: {
          launcher: plant(name),
          name: 'x',
          spec: { namespaces: true, descriptors: 3 },
          onFailure: (why) => told.push(why),
        },
        messageFile,
        cgroupName: `ps${process.pid}-${name}`,
        limits: { memoryBytes: 64 * 1024 * 1024, processCount: 16 },
      });
    const starts = [start('tied', undefined), start('outliving', join(folder, 'messages'))];
    for (const each of await Promise.allSettled(starts)) expect(each).toMatchObject({ reason: stopped });
    expect(told).toEqual([]);
    for (const name of ['tied', 'outliving']) expect(identifyProcess(pidOf(name))).toBeUndefined();
  });

  it('and is that of a job ends it, or is let go on when the call is cancelled', async () => {
    await using jobs = openJobProcesses(main);
    const project = join(folder, 'project');
    mkdirSync(project);
    writeFileSync(join(project, 'a'), 'a');
    const input = { cache: join(folder, 'cache'), request: { path: project, includes: [] } };
    /** As it is when the process of the call has just been stopped. */
    const begin = async (
      signal: AbortSignal,
    ): Promise<{ readonly outcome: Promise<unknown>; readonly pid: number }> => {
      const before = new Set(jobProcesses());
      const tools = { signal, onProgress: () => undefined, guests: [], secrets: new SecretSet([]), workFolder: folder };
      const outcome = jobs.run(seedJob, input, { ...tools, owner: 'test', deadlineMs: 60_000 });
      outcome.catch(() => undefined);
      const found = (): number | undefined => jobProcesses().find((pid) => !before.has(pid));
      await until(() => found() !== undefined);
      const pid = found();
      killNow(pid, 'SIGSTOP');
      return { outcome, pid: pid ?? 0 };
    };
    const cancelling = new AbortController();
    const cancelled = await begin(cancelling.signal);
    cancelling.abort(new Error('enough'));
    await expect(cancelled.outcome).rejects.toThrow('enough');
    expect(identifyProcess(cancelled.pid)).toBeUndefined();
    // One is held ready since: it is that of the next call.
    await until(() => jobProcesses().length > 0);
    const [ready] = jobProcesses();
    killNow(ready, 'SIGSTOP');
    const tools = { onProgress: () => undefined, guests: [], secrets: new SecretSet([]), workFolder: folder };
    const signal = AbortSignal.timeout(60_000);
    const outcome = jobs.run(seedJob, input, { ...tools, signal, owner: 'test', deadlineMs: 60_000 });
    await expect(outcome).rejects.toMatchObject(stopped);
    expect(identifyProcess(ready ?? 0)).toBeUndefined();
  });
});
