// The commands of a workspace over a stand-in guest: a thousand of them, their pages, their output, and how each may end.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { execSignalInput, logsInput } from '../../../../src/contract/commands.ts';
import { noLongerWaiting } from '../../../../src/shared/leaving.ts';
import { call, exec } from '../../../support/engine.ts';
import { killNow } from '../../../support/kill.ts';
import { cancelAllAlong, StandInHouse } from '../../../support/stand-in-house.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';
import { until } from '../../../support/until.ts';

const obstacle = standInObstacle();
const value = 'a-secret-of-the-commands';
const atOnce = 25;
let house: StandInHouse;

beforeAll(async () => {
  if (obstacle === undefined) house = await StandInHouse.open({ secrets: [{ name: 'TOKEN', value }] });
});
afterAll(async () => await house?.[Symbol.asyncDispose]());

const run = async (
  command: string,
  request: Parameters<typeof exec>[3] = {},
  changes: Parameters<typeof exec>[4] = {},
) => await exec(house.engine, house.id, command, request, changes);
const logs = async (given: Record<string, unknown> = {}) =>
  await house.all.logs(logsInput.parse({ workspace_id: house.id, ...given }), call());
const signal = async (sequence: number, signal_name: string) =>
  await house.all.signal(execSignalInput.parse({ workspace_id: house.id, sequence, signal_name }), call());

describe.skipIf(obstacle !== undefined)('commands', { shuffle: false }, () => {
  it('get their input, variables, folder and user, and the shell that the guest has', async () => {
    await house.sh('mkdir -p sub');
    const result = await run('cat; echo "$A $PWD $X"', {
      stdin: 'in\n',
      env: { A: 'a' },
      secret_env: { TOKEN: 'X' },
      cwd: 'sub',
    });
    expect(result).toMatchObject({ stdout: `in\na /workspace/sub ${'*'.repeat(value.length)}\n`, shell: 'bash' });
    expect(result.cwd).toBe('/workspace/sub');
    await expect(run('true', { cwd: 'none' })).rejects.toMatchObject({
      code: expect.stringMatching(/file_missing|not_a|cwd/),
    });
    const missing = await run('no-such-program-at-all');
    expect(missing).toMatchObject({ exit_code: 127, program_note: null });
    await expect(run('true', { secret_env: { NONE: 'X' } })).rejects.toMatchObject({ code: 'secret_unknown' });
  });

  it('end at their time limit with all that they have started, and keep what they said', async () => {
    const result = await run('echo begun; sleep 4711 & sleep 4711', { timeout_seconds: 0.3 });
    expect(result).toMatchObject({ exit_code: 124, timed_out: true, stdout: 'begun\n', running: false });
    await until(async () => (await house.processes('sleep 4711')) === 0);
  });

  it('take signals while they run, and say how they have ended afterwards', async () => {
    const { sequence, running } = await run('trap "echo got; exit 7" USR1; echo up; while :; do sleep 0.02; done', {
      wait_seconds: 0,
    });
    expect(running).toBe(true);
    await until(async () => (await logs({ sequence })).entries[0]?.stdout === 'up\n');
    expect(await signal(sequence, 'USR1')).toMatchObject({ signal: 'USR1' });
    await until(async () => (await logs({ sequence })).entries[0]?.running === false);
    expect((await logs({ sequence })).entries[0]).toMatchObject({ stdout: 'up\ngot\n', exit_code: 7 });
    await until(
      async () => (await house.all.status({ workspace_id: house.id }, call())).running_sequences.length === 0,
    );
    await expect(signal(sequence, 'INT')).rejects.toMatchObject({
      code: 'command_ended',
      message: expect.stringContaining('7'),
    });
    await expect(signal(9999, 'INT')).rejects.toMatchObject({ code: 'command_unknown' });
  });

  it('show head and tail of what is long, and all of it page by page', async () => {
    const { sequence, stdout, truncated } = await run('seq 100000; echo ende >&2', { output_bytes: 1000 });
    expect(truncated).toBe(true);
    expect(stdout).toMatch(/^1\n2\n3\n[\s\S]*workspace_logs sequence=\d+ stream=stdout cursor=\d+[\s\S]*\n100000\n$/);
    let text = '';
    for (let cursor: number | null = 0; cursor !== null; ) {
      const page = await logs({ sequence, stream: 'stdout', cursor, limit: 100_000 });
      text += page.entries[0]?.stdout;
      cursor = page.next_cursor;
    }
    expect(text).toBe(Array.from({ length: 100_000 }, (_, index) => `${index + 1}\n`).join(''));
    await expect(logs({ sequence, cursor: 3 })).rejects.toMatchObject({ code: 'usage' });
    await expect(logs({ sequence, stream: 'stdout', cursor: 1e9 })).rejects.toMatchObject({ code: 'usage' });
    expect((await logs({ sequence, stream: 'stderr', cursor: 0 })).entries[0]?.stderr).toBe('ende\n');
  });

  it('whose bytes are no text are told so, and none of a secret comes through, however it is cut', async () => {
    expect(await run("printf 'a\\377b'")).toMatchObject({ stdout: 'a\ufffdb', is_utf8: false });
    const half = value.length / 2;
    const { sequence, command, stdout } = await run(
      `printf ${value.slice(0, half)}; sleep 0.2; printf '%s\\n' ${value.slice(half)}; echo ${value}; echo ${value} >&2`,
    );
    expect(stdout).toBe(`${'*'.repeat(value.length)}\n${'*'.repeat(value.length)}\n`);
    expect(command).not.toContain(value);
    expect(JSON.stringify(await logs({ sequence }))).not.toContain(value);
  });

  it('that are cancelled are killed whenever that is, and go on where nobody waits any more', async () => {
    const cut = await cancelAllAlong(
      async (aborted) => await run('sleep 0.2; : sleep-4712', {}, { signal: aborted }),
      10,
    );
    expect(cut).toBeGreaterThan(3);
    await until(async () => (await house.processes('/bin/bash -c sleep 0.2; : sleep-4712')) === 0);
    const before = (await logs()).entries.at(-1)?.sequence ?? 0;
    const leaving = new AbortController();
    const left = run('until [ -e go ]; do sleep 0.02; done; echo gone-on', {}, { signal: leaving.signal });
    await until(async () => (await logs()).entries.some(({ running }) => running));
    leaving.abort(noLongerWaiting('the caller has left'));
    await expect(left).rejects.toMatchObject({ code: 'cancelled' });
    await house.sh('touch go');
    await until(async () => (await logs({ cursor: before })).entries.some(({ stdout }) => stdout === 'gone-on\n'));
  });

  it('whose input breaks are killed, and say so', async () => {
    const stdin = new Readable({ read: () => undefined });
    stdin.on('error', () => undefined);
    const io = { stdin, stdout: undefined, stderr: undefined, terminal: undefined, onStarted: () => () => undefined };
    const running = run('cat > half; echo all', {}, { io });
    stdin.push('part');
    await until(async () => (await house.sh('cat half 2>/dev/null || true')) === 'part');
    stdin.destroy(new Error('the pipe broke'));
    await expect(running).rejects.toMatchObject({ code: 'input_failed' });
    expect((await logs({ limit: 200 })).entries.every(({ stdout }) => stdout !== 'all\n')).toBe(true);
  });

  it('that lose their guest are told as lost, and keep what they said', async () => {
    const running = run('echo said; touch up; sleep 4713').catch((error: unknown) => error);
    await until(async () => (await house.sh('ls')).includes('up'));
    const sequence = (await logs()).entries.find((each) => each.running)?.sequence ?? 0;
    killNow(house.engine.engine().activity().guests[0]?.pid);
    expect(await running).toMatchObject({ code: 'guest_ended', hint: expect.stringContaining(`${sequence}`) });
    await until(async () => (await logs({ sequence })).entries[0]?.running === false);
    expect((await logs({ sequence })).entries[0]).toMatchObject({ exit_code: null, stdout: 'said\n' });
    await expect(signal(sequence, 'INT')).rejects.toMatchObject({ message: expect.stringContaining('was lost') });
    expect(await run('true')).toMatchObject({ restarted: true });
  });

  it('are a thousand at most; of older ones it is said that they are gone, also by another daemon', async () => {
    const first = (await logs({ limit: 200 })).entries[0]?.sequence ?? 0;
    const folder = join(house.engine.paths.state, 'workspaces', house.id, 'commands');
    for (let done = 0; done < 1000; done += atOnce) {
      await Promise.all(Array.from({ length: atOnce }, async (_, index) => await run(`echo ${done + index}`)));
    }
    for (const daemon of ['this one', 'another']) {
      const { count, gone_count: gone, entries } = await logs();
      expect([count, gone === null ? 0 : gone > 0, entries.length], daemon).toEqual([1000, true, 20]);
      await expect(logs({ sequence: first })).rejects.toMatchObject({ code: 'command_gone' });
      // A record and two outputs each; what is let go of goes a moment later.
      await until(() => readdirSync(folder).length === 3000);
      let seen = 0;
      for (let cursor: number | null = 0; cursor !== null; ) {
        const page = await logs({ cursor, limit: 200 });
        seen += page.entries.length;
        cursor = page.next_cursor;
      }
      expect(seen).toBe(1000);
      if (daemon === 'this one') await house.engine.reopen();
    }
    expect(house.engine.engine().activity().runningGuests).toBe(1);
  });
});
