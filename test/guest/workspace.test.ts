// A workspace's life with a real guest: commands, their output, stops, crashes and a daemon that is replaced.

import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LogsInput, LogsOutput } from '../../src/contract/commands.ts';
import type { WorkspaceView } from '../../src/contract/workspaces.ts';
import { PyroError } from '../../src/shared/errors.ts';
import { crashGuest } from '../support/crash.ts';
import { call, createRequest, exec, fileWriteRequest, openTestEngine, type TestEngine } from '../support/engine.ts';
import { until } from '../support/until.ts';

let engine: TestEngine;
let id = '';

beforeAll(async () => {
  engine = await openTestEngine();
  const created = await engine.workspaces().create({ ...createRequest, name: 'first', labels: { task: '1' } }, call());
  id = created.workspace_id;
});

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
});

function pidOf(workspaceId: string): number {
  const { guests } = engine.engine().activity();
  const found = guests.find((each) => each.workspace_id === workspaceId);
  if (found === undefined) throw new Error('no guest runs');
  return found.pid;
}

async function logsOf(sequence: number, request: Omit<LogsInput, 'workspace_id' | 'sequence'>): Promise<LogsOutput> {
  return await engine.workspaces().logs({ ...request, workspace_id: id, sequence }, call());
}

async function goTo(snapshot: string): Promise<void> {
  await engine.workspaces().reset({ workspace_id: id, snapshot }, call());
}

async function turn(power: 'start' | 'stop'): Promise<WorkspaceView> {
  return await engine.workspaces()[power]({ workspace_id: id }, call());
}

async function remove(other: string): Promise<void> {
  await engine.workspaces().delete({ workspace_id: other, force: true, dry_run: false }, call());
}

describe('commands', () => {
  it('run as root in /workspace by the shell, with their own exit code', async () => {
    const result = await exec(engine, id, 'pwd; id -u; echo err >&2; exit 3');
    expect(result).toMatchObject({ stdout: '/workspace\n0\n', stderr: 'err\n', exit_code: 3, running: false });
  });

  it('take cwd, env, user and stdin', async () => {
    const result = await exec(engine, id, 'pwd; echo $A; id -un; cat', {
      cwd: '/tmp',
      env: { A: 'b c' },
      user: 'nobody',
      stdin: 'in\n',
    });
    expect(result.stdout).toBe('/tmp\nb c\nnobody\nin\n');
  });

  it('that time out keep their output and take their grandchildren with them', async () => {
    const result = await exec(engine, id, 'echo before; (sleep 4321 & sleep 4321) & sleep 4321', {
      timeout_seconds: 1.5,
    });
    expect(result).toMatchObject({ stdout: 'before\n', exit_code: 124, timed_out: true });
    expect((await exec(engine, id, 'pgrep -fx "sleep 4321" | wc -l')).stdout.trim()).toBe('0');
  });

  it('in the background return at once, and go on', async () => {
    const started = performance.now();
    const result = await exec(engine, id, '(while :; do date; sleep 0.1; done) & echo done; sleep 4322 &');
    expect(result.stdout).toContain('done\n');
    expect(performance.now() - started).toBeLessThan(20_000);
    const look = 'pgrep -fx "sleep 4322" | wc -l; pgrep -fc "[w]hile :; do date"';
    expect((await exec(engine, id, look)).stdout).toBe('1\n1\n');
    await exec(engine, id, 'pkill -fx "sleep 4322"; pkill -f "[w]hile :; do date"');
  });

  it('that outlast the wait go on and are followed to their end', async () => {
    const result = await exec(engine, id, 'for i in 1 2 3; do echo $i; sleep 1; done', { wait_seconds: 0.2 });
    expect(result).toMatchObject({ running: true, exit_code: null });
    let seen = '';
    let cursor: number | null = 0;
    while (cursor !== null) {
      const page: LogsOutput = await logsOf(result.sequence, {
        stream: 'stdout',
        cursor,
        limit: 1000,
        wait_seconds: 10,
      });
      seen += page.entries[0]?.stdout ?? '';
      cursor = page.next_cursor;
    }
    expect(seen).toBe('1\n2\n3\n');
  });

  it('that flood come as head and tail, and page exactly', async () => {
    const result = await exec(engine, id, 'seq 1 400000 | head -c 2000000');
    expect(result.truncated).toBe(true);
    expect(Buffer.byteLength(result.stdout)).toBeLessThan(9000);
    expect(result.stdout_bytes).toBe(2_000_000);
    let seen = '';
    let cursor: number | null = 0;
    while (cursor !== null) {
      const page: LogsOutput = await logsOf(result.sequence, {
        stream: 'stdout',
        cursor,
        limit: 300_000,
        wait_seconds: 0,
      });
      seen += page.entries[0]?.stdout ?? '';
      cursor = page.next_cursor;
    }
    const expected = Array.from({ length: 400_000 }, (_, index) => `${index + 1}\n`)
      .join('')
      .slice(0, 2_000_000);
    expect(seen === expected).toBe(true);
  });

  it('with output that is no text say so', async () => {
    expect(await exec(engine, id, "printf 'a\\377b'")).toMatchObject({ is_utf8: false, stdout: 'a\ufffdb' });
    expect(await exec(engine, id, "printf 'ä'")).toMatchObject({ is_utf8: true, stdout: 'ä' });
  });

  it('that are cancelled are gone from the guest', async () => {
    const stop = new AbortController();
    const running = exec(engine, id, 'sleep 4323', {}, { signal: stop.signal });
    const count = async () => (await exec(engine, id, 'pgrep -cfx "sleep 4323"')).stdout.trim();
    await until(async () => (await count()) === '1');
    stop.abort(new PyroError('cancelled', 'enough'));
    await expect(running).rejects.toMatchObject({ code: 'cancelled' });
    expect(await count()).toBe('0');
  });

  it('take signals by their sequence', async () => {
    const line = "trap 'echo got; exit 7' INT; while :; do sleep 0.1; done";
    const result = await exec(engine, id, line, { wait_seconds: 3 });
    await engine.workspaces().signal({ workspace_id: id, sequence: result.sequence, signal_name: 'INT' }, call());
    const logs = await logsOf(result.sequence, { stream: 'both', limit: 100, wait_seconds: 20 });
    expect(logs.entries[0]).toMatchObject({ stdout: 'got\n', exit_code: 7, running: false });
    const late = engine
      .workspaces()
      .signal({ workspace_id: id, sequence: result.sequence, signal_name: 'INT' }, call());
    await expect(late).rejects.toMatchObject({ code: 'command_ended' });
  });

  it('do not block one another', async () => {
    const long = exec(engine, id, 'sleep 6');
    const started = performance.now();
    await exec(engine, id, 'true');
    await engine.workspaces().fileRead({ workspace_id: id, path: '/etc/hostname', max_bytes: 100 }, call());
    expect(performance.now() - started).toBeLessThan(5000);
    expect((await long).exit_code).toBe(0);
  });
});

describe('files', () => {
  it('are written whole with their mode, edited in place, and read by range and by lines', async () => {
    const { fileWrite, fileRead } = engine.workspaces();
    const place = { ...fileWriteRequest, workspace_id: id, path: 'deep/er/a.txt' };
    const written = { ...place, text: 'one\ntwo\nthree\n', mode: '750' };
    expect(await fileWrite(written, call())).toMatchObject({ created: true, size_bytes: 14 });
    await fileWrite({ ...place, old_text: 'two', new_text: 'zwei' }, call());
    const whole = { workspace_id: id, path: 'deep/er/a.txt', max_bytes: 100 };
    expect(await fileRead(whole, call())).toMatchObject({ content: 'one\nzwei\nthree\n', mode: '0750' });
    expect((await fileRead({ ...whole, start_line: 2, end_line: 2 }, call())).content).toBe('zwei\n');
    expect((await fileRead({ ...whole, offset: 4, max_bytes: 4 }, call())).content).toBe('zwei');
    const mismatch = { ...place, edits: [{ old_text: 'no', new_text: 'zwei' }] };
    await expect(fileWrite(mismatch, call())).rejects.toMatchObject({ code: 'replacement_mismatch' });
  });

  it('that are missing are told by name', async () => {
    const read = { workspace_id: id, path: 'no/such', max_bytes: 10 };
    await expect(engine.workspaces().fileRead(read, call())).rejects.toMatchObject({ code: 'file_missing' });
  });
});

describe('the life of a workspace', { shuffle: false }, () => {
  it('goes on with another daemon, running commands included', async () => {
    const result = await exec(engine, id, 'for i in 1 2 3 4 5 6; do echo $i; sleep 1; done', { wait_seconds: 1.2 });
    const pid = pidOf(id);
    await engine.reopen();
    expect(pidOf(id)).toBe(pid);
    const logs = await logsOf(result.sequence, { stream: 'both', limit: 100, wait_seconds: 30 });
    expect(logs.entries[0]).toMatchObject({ stdout: '1\n2\n3\n4\n5\n6\n', exit_code: 0 });
  });

  it('starts again from its disk after a crash, with all that was synced', async () => {
    await exec(engine, id, 'echo kept > kept.txt; echo sys > /etc/kept; sync');
    await crashGuest(engine, pidOf(id));
    const result = await exec(engine, id, 'cat kept.txt /etc/kept');
    expect(result).toMatchObject({ stdout: 'kept\nsys\n', restarted: true });
  });

  it('stays stopped after an explicit stop until it is started', async () => {
    const stopped = await turn('stop');
    expect(stopped).toMatchObject({ state: 'stopped', stop_reason: 'explicit' });
    await expect(exec(engine, id, 'true')).rejects.toMatchObject({ code: 'workspace_stopped' });
    expect((await turn('start')).state).toBe('started');
    expect((await exec(engine, id, 'cat kept.txt')).stdout).toBe('kept\n');
  });

  it('resets the whole guest, and keeps the history', async () => {
    const before = await engine.workspaces().status({ workspace_id: id }, call());
    await goTo('baseline');
    const result = await exec(engine, id, 'ls -A /workspace; ls /etc/kept');
    expect(result.stdout).toBe('');
    expect(result.exit_code).not.toBe(0);
    const after = await engine.workspaces().status({ workspace_id: id }, call());
    expect(after.reset_count).toBe(before.reset_count + 1);
    expect(after.command_count).toBeGreaterThan(before.command_count);
  });

  it('ends by delete alone, and leaves nothing', async () => {
    const other = await engine.workspaces().create({ ...createRequest, name: 'other' }, call());
    const folder = join(engine.paths.state, 'workspaces', other.workspace_id);
    expect(existsSync(folder)).toBe(true);
    const pid = pidOf(other.workspace_id);
    await remove(other.workspace_id);
    expect(existsSync(folder)).toBe(false);
    expect(() => process.kill(pid, 0)).toThrow();
    expect(readdirSync(engine.paths.runtime).filter((name) => name.includes(other.workspace_id))).toEqual([]);
    await expect(exec(engine, other.workspace_id, 'true')).rejects.toMatchObject({ code: 'workspace_unknown' });
  });

  it('with a broken record is shown as damaged, and can be deleted', async () => {
    const other = await engine.workspaces().create(createRequest, call());
    await engine.workspaces().stop({ workspace_id: other.workspace_id }, call());
    writeFileSync(join(engine.paths.state, 'workspaces', other.workspace_id, 'workspace.json'), '{"version": 1');
    await engine.reopen();
    const listed = await engine.workspaces().list({ state: 'damaged', limit: 10 });
    expect(listed.workspaces.map((each) => each.workspace_id)).toEqual([other.workspace_id]);
    await expect(exec(engine, other.workspace_id, 'true')).rejects.toMatchObject({ code: 'workspace_damaged' });
    await remove(other.workspace_id);
    expect((await exec(engine, id, 'echo fine')).stdout).toBe('fine\n');
  });
});

describe('snapshots', { shuffle: false }, () => {
  beforeAll(async () => void (await goTo('baseline')));
  it('are gone back to, with what came later lost and what came before kept', async () => {
    const { snapshotCreate, snapshotList, snapshotDelete } = engine.workspaces();
    const named = (name: string) => ({ workspace_id: id, snapshot_name: name });
    await exec(engine, id, 'echo 1 > a; echo sys > /etc/snap');
    const { snapshot } = await snapshotCreate(named('one'), call());
    expect(snapshot).toMatchObject({ snapshot_name: 'one', deletable: true });
    await exec(engine, id, 'echo 2 > a; echo 2 > b; rm /etc/snap');
    await snapshotCreate(named('two'), call());
    await exec(engine, id, 'echo 3 > a');
    await goTo('one');
    expect((await exec(engine, id, 'cat a /etc/snap; ls')).stdout).toBe('1\nsys\na\n');
    await goTo('two');
    expect((await exec(engine, id, 'cat a b; ls /etc/snap')).stdout).toBe('2\n2\n');
    await snapshotDelete(named('one'), call());
    expect((await snapshotList({ workspace_id: id }, call())).snapshots.map((each) => each.snapshot_name)).toEqual([
      'baseline',
      'two',
    ]);
    await expect(goTo('one')).rejects.toMatchObject({
      code: 'snapshot_unknown',
    });
    await expect(snapshotCreate(named('two'), call())).rejects.toMatchObject({ code: 'snapshot_exists' });
  });

  it('in a row keep what each held, over another daemon and a start from the disk', async () => {
    const { snapshotCreate } = engine.workspaces();
    await goTo('baseline');
    for (const name of ['r1', 'r2', 'r3']) {
      await exec(engine, id, `echo ${name} > row; echo ${name} > ${name}`);
      await snapshotCreate({ workspace_id: id, snapshot_name: name }, call());
    }
    await exec(engine, id, 'echo last > row; sync');
    await engine.reopen();
    expect((await exec(engine, id, 'cat row; ls')).stdout).toBe('last\nr1\nr2\nr3\nrow\n');
    await turn('stop');
    await engine.reopen();
    await turn('start');
    expect((await exec(engine, id, 'cat row; ls')).stdout).toBe('last\nr1\nr2\nr3\nrow\n');
    await goTo('r2');
    expect((await exec(engine, id, 'cat row; ls')).stdout).toBe('r2\nr1\nr2\nrow\n');
    for (const name of ['r1', 'r2', 'r3'])
      await engine.workspaces().snapshotDelete({ workspace_id: id, snapshot_name: name }, call());
  });

  it('outlive the daemon, stops and merges of layers', async () => {
    await engine.reopen();
    await turn('stop');
    await turn('start');
    await exec(engine, id, 'echo 4 > a; sync');
    await goTo('two');
    expect((await exec(engine, id, 'cat a')).stdout).toBe('2\n');
    await goTo('baseline');
    expect((await exec(engine, id, 'ls -A')).stdout).toBe('');
  });
});
