// `pyro run` on real guests: what a user types, sees and is left with.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { findCgroupHome } from '../../src/system/cgroup.ts';
import { findGuests, leftoverCgroups, leftovers, pyro, runningGuests } from '../support/pyro.ts';
import { atTerminal } from '../support/terminal.ts';
import { until } from '../support/until.ts';

const executable = join(new URL('../..', import.meta.url).pathname, 'bin', 'pyro');
const cgroupHome = await findCgroupHome();
const cgroupObstacle = 'reason' in cgroupHome ? cgroupHome.reason : undefined;
const isSoak = process.env['PYRO_SOAK'] === '1';
const resultSchema = z.looseObject({
  stdout: z.string(),
  exit_code: z.number(),
  boot_source: z.string(),
  is_utf8: z.boolean(),
  timed_out: z.boolean(),
});

async function runJson(...args: string[]) {
  const { stdout } = await pyro(['run', 'debian:12', '--json', ...args]);
  return resultSchema.parse(JSON.parse(stdout.toString('utf8')));
}

async function remains(): Promise<{ guests: string[]; folders: string[]; cgroups: string[] }> {
  return { guests: runningGuests(), folders: leftovers(), cgroups: await leftoverCgroups() };
}
const nothing = { guests: [], folders: [], cgroups: [] };

/** A killed guest's memory takes the kernel a moment to give back, longer on a busy machine: what counts is that it goes. */
async function expectNothingLeft(): Promise<void> {
  await expect.poll(remains, { interval: 50, timeout: 10_000 }).toEqual(nothing);
}

afterEach(expectNothingLeft);

describe('pyro run', () => {
  it("prints the guest's git version and nothing else", async () => {
    const { exitCode, stdout, stderr } = await pyro(['run', 'debian:12', '--', 'git', '--version']);
    expect(stdout.toString('utf8')).toMatch(/^git version 2\.\d+/);
    expect({ exitCode, lines: stdout.toString('utf8').trim().split('\n').length, stderr }).toMatchObject({
      exitCode: 0,
      lines: 1,
    });
  });

  it('keeps standard output and error apart and hands on the exit code', async () => {
    const { exitCode, stdout, stderr } = await pyro([
      'run',
      'debian:12',
      '--',
      'sh',
      '-c',
      'echo out; echo err >&2; exit 7',
    ]);
    expect(exitCode).toBe(7);
    expect(stdout.toString('utf8')).toBe('out\n');
    expect(stderr).toContain('err\n');
  });

  it.each([
    ['by a shell', ['sh', '-c', 'make all'], /^sh: .*not found\n\[run\] make is not in debian:12; .*debian:12-build/],
    ['itself', ['cargo', 'build'], /^error: .*cargo.*\nhint: cargo is not in debian:12; .*rust:1/],
  ])('says of a program that is not found %s which environments have it', async (_how, command, words) => {
    const { exitCode, stderr } = await pyro(['run', 'debian:12', '--', ...command]);
    expect(stderr).toMatch(words);
    expect(exitCode).toBe(127);
  });

  it('carries bytes in and out unchanged', async () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7919) % 256));
    const { stdout } = await pyro(['run', 'debian:12', '--', 'cat'], { input: bytes });
    expect(stdout.equals(bytes)).toBe(true);
  });

  it('takes env, cwd and user', async () => {
    const result = await runJson(
      '--env',
      'GREETING=a b',
      '--cwd',
      '/usr',
      '--user',
      'nobody',
      '--',
      'sh',
      '-c',
      'echo "$GREETING"; pwd; id -un',
    );
    expect(result.stdout).toBe('a b\n/usr\nnobody\n');
  });

  it('is a fresh guest each time: own name, own machine id, own randomness, nothing kept', async () => {
    const look =
      'hostname; cat /etc/machine-id; head -c 16 /dev/urandom | od -An -tx1; ls /workspace | wc -l; echo x > /workspace/x; echo $(( $(date +%s) / 100 ))';
    const [first, second] = [await runJson('--', 'sh', '-c', look), await runJson('--', 'sh', '-c', look)];
    const [a, b] = [first.stdout.split('\n'), second.stdout.split('\n')];
    for (const index of [0, 1, 2]) expect(a[index]).not.toBe(b[index]);
    expect([a[3], b[3]]).toEqual(['0', '0']);
    expect(Math.abs(Number(a[4]) * 100 - Date.now() / 1000)).toBeLessThan(200);
  });

  it('keeps the output of a command that times out, and kills what it started', async () => {
    const { exitCode, stdout } = await pyro([
      'run',
      'debian:12',
      '--timeout-seconds',
      '2',
      '--',
      'sh',
      '-c',
      'echo partial; sleep 300 & sleep 300',
    ]);
    expect(stdout.toString('utf8')).toBe('partial\n');
    expect(exitCode).toBe(124);
  });

  it('returns when the command ends, not when its background children do', async () => {
    expect((await runJson('--', 'sh', '-c', 'sleep 300 & echo done')).stdout).toBe('done\n');
  });

  it('flags bytes that are no text', async () => {
    expect((await runJson('--', 'printf', '\\377\\376')).is_utf8).toBe(false);
  });

  it('boots without the template when told to', async () => {
    expect((await runJson('--cold', '--', 'true')).boot_source).toBe('cold');
    expect((await runJson('--', 'true')).boot_source).toBe('template');
  });

  it.each([
    [['run', 'debian:12', '--', 'no-such-command'], 127, 'command_not_found'],
    [['run', 'debian:12', '--user', 'no-such-user', '--', 'true'], 1, 'user_unknown'],
    [['run', 'debian:12', '--cwd', '/no/such/folder', '--', 'true'], 1, 'cwd_missing'],
    [['run', 'debian:12', '--mem-mib', '1', '--', 'true'], 2, 'usage'],
    [['run', 'debian:12'], 2, 'usage'],
    [['run', 'Not A Name', '--', 'true'], 1, 'reference_invalid'],
  ])('%j ends with %i and %s', async (args, exitCode, code) => {
    const at = args.indexOf('--');
    const withJson = at < 0 ? [...args, '--json'] : [...args.slice(0, at), '--json', ...args.slice(at)];
    const finished = await pyro(withJson);
    expect(finished.exitCode).toBe(exitCode);
    expect(JSON.parse(finished.stdout.toString('utf8'))).toMatchObject({ error: { code } });
    expect(finished.stderr + finished.stdout.toString('utf8')).not.toMatch(/ at .*\.[jt]s:\d+/);
  });

  it('gives a terminal when both ends are one', () => {
    const command = `${executable} run -it debian:12 -- sh -c 'tty; stty size; echo TERM=$TERM'`;
    const { shown } = atTerminal(command);
    expect(shown).toMatch(/\/dev\/pts\/\d+/);
    expect(shown).toMatch(/^\d+ \d+/m);
  });

  it('refuses -t without a terminal', async () => {
    const { exitCode, stderr } = await pyro(['run', '-t', 'debian:12', '--', 'true']);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('not a terminal');
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('ends on %s with nothing left', async (name) => {
    const { exitCode } = await pyro(['run', 'debian:12', '--', 'sleep', '300'], {
      onSpawn: (pid) => void until(() => findGuests().length > 0).then(() => process.kill(pid, name)),
    });
    expect([130, 143]).toContain(exitCode);
  });

  it('ends on Ctrl-C at any moment with nothing left', async () => {
    for (const delay of [20, 120, 200, 260, 300, 340, 380, 420]) {
      const { exitCode } = await pyro(['run', 'debian:12', '--', 'sleep', '300'], {
        // The time itself is what is tried.
        onSpawn: (pid) => void sleep(delay).then(() => process.kill(pid, 'SIGINT')),
      });
      expect({ delay, isEndedBySignal: exitCode === 130 || exitCode === null }).toEqual({
        delay,
        isEndedBySignal: true,
      });
      await expectNothingLeft();
    }
  });

  it.skipIf(cgroupObstacle !== undefined)(
    `limits the memory and the processes of its guest on the host${cgroupObstacle === undefined ? '' : ` (skipped: ${cgroupObstacle})`}`,
    async () => {
      const { promise: started, resolve: hasStarted } = Promise.withResolvers<number>();
      const running = pyro(['run', 'debian:12', '--', 'sleep', '300'], { onSpawn: hasStarted });
      const pid = await started;
      try {
        const groups = () => findGuests().map((guest) => readFileSync(`/proc/${guest.pid}/cgroup`, 'utf8'));
        await expect
          .poll(groups, { interval: 100, timeout: 30_000 })
          .toEqual([expect.stringMatching(/\/pyro-\d+-\d+-[0-9a-f]+$/m)]);
      } finally {
        process.kill(pid, 'SIGINT');
        await running;
      }
    },
  );

  it('takes its guest along when it is killed, and the next run clears the rest', async () => {
    const { exitCode } = await pyro(['run', 'debian:12', '--', 'sleep', '300'], {
      onSpawn: (pid) => void until(() => findGuests().length > 0).then(() => process.kill(pid, 'SIGKILL')),
    });
    expect(exitCode).toBe(null);
    await expect.poll(runningGuests, { interval: 50, timeout: 10_000 }).toEqual([]);
    await runJson('--', 'true');
  });

  const [inARow, atOnce, coldBoots] = isSoak ? [200, 16, 50] : [10, 8, 0];
  const hourMs = 3_600_000;
  it(
    `restores its template ${inARow} times in a row`,
    async () => {
      for (let turn = 0; turn < inARow; turn++) {
        const { boot_source: source, exit_code: exitCode } = await runJson('--', 'true');
        expect({ turn, source, exitCode }).toEqual({ turn, source: 'template', exitCode: 0 });
      }
    },
    hourMs,
  );

  it(
    `works ${atOnce} times at once`,
    async () => {
      const all = await Promise.all(
        Array.from({ length: atOnce }, () => pyro(['run', 'debian:12', '--', 'echo', 'here'])),
      );
      expect(all.map(({ exitCode, stdout }) => `${exitCode} ${stdout}`)).toEqual(
        Array.from({ length: atOnce }, () => '0 here\n'),
      );
    },
    hourMs,
  );

  it.runIf(isSoak)(
    `boots ${coldBoots} times, each at the first attempt`,
    async () => {
      for (let turn = 0; turn < coldBoots; turn++) {
        const { stdout, stderr } = await pyro(['run', 'debian:12', '--json', '--cold', '--', 'true']);
        const { boot_source: source } = resultSchema.parse(JSON.parse(stdout.toString('utf8')));
        expect({ turn, source, again: stderr.includes('attempt') }).toEqual({ turn, source: 'cold', again: false });
      }
    },
    hourMs,
  );

  it('fails without QEMU unless the host is allowed, and says where it ran', async () => {
    const env = { PYRO_QEMU: '/nonexistent/qemu' };
    const refused = await pyro(['run', 'debian:12', '--json', '--', 'sh', '-c', 'pwd'], { env });
    expect(JSON.parse(refused.stdout.toString('utf8'))).toMatchObject({ error: { code: 'tool_missing' } });
    const allowed = await pyro(['run', 'debian:12', '--json', '--allow-host-compat', '--', 'sh', '-c', 'pwd'], { env });
    const result = z
      .object({ execution_mode: z.string(), stdout: z.string() })
      .parse(JSON.parse(allowed.stdout.toString('utf8')));
    expect(result.execution_mode).toBe('host_compat');
    expect(allowed.stderr).toContain('WITHOUT ISOLATION');
    expect(existsSync(result.stdout.trim())).toBe(false);
  });
});
