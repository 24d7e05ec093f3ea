// What befalls the host, not a write of ours: a reboot, hardly any descriptors, a daemon that is stopped, a full disk below the programs that pyro calls.
import { rmSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { reportError } from '../../src/shared/errors.ts';
import { FaultHome } from '../support/fault-home.ts';
import { killNow } from '../support/kill.ts';
import { processesOf } from '../support/real-home.ts';
import { standInObstacle } from '../support/stand-in-machine.ts';
import { until } from '../support/until.ts';

const codeOf = async (work: Promise<unknown>): Promise<string | undefined> =>
  await work.then(
    () => undefined,
    (error: unknown) => reportError(error).code,
  );

describe.skipIf(standInObstacle() !== undefined)('a host in trouble', () => {
  it('finds all that was synced after a reboot: no process is left, and the runtime folder is empty', async () => {
    await using home = await FaultHome.open();
    const [running, stopped] = [await home.create({ name: 'running' }), await home.create({ name: 'stopped' })];
    for (const id of [running, stopped]) await home.sh(id, 'echo kept > kept; sync kept');
    await home.call('workspace.snapshot.create', { workspace_id: running, snapshot_name: 'one' });
    await home.call('workspace.stop', { workspace_id: stopped });
    await home.kill();
    home.killGuests();
    await until(() => processesOf(home.folder).length === 0);
    rmSync(home.paths.runtime, { recursive: true });
    await home.start();
    expect(await home.list()).toEqual(
      new Map([
        [running, 'stopped'],
        [stopped, 'stopped'],
      ]),
    );
    expect(await home.sh(running, 'cat kept')).toBe('kept\n');
    await home.call('workspace.start', { workspace_id: stopped });
    expect(await home.sh(stopped, 'cat kept')).toBe('kept\n');
    await home.call('workspace.reset', { workspace_id: running, snapshot: 'one' });
    expect(await home.sh(running, 'cat kept')).toBe('kept\n');
    expect(await home.close()).toEqual([]);
  });

  it('says that too many files are open, loses nothing, and goes on when some are closed', async () => {
    await using home = await FaultHome.open();
    const id = await home.create();
    await home.sh(id, 'echo kept > kept; sync kept');
    await home.kill();
    await home.start(['prlimit', '--nofile=48']);
    const others = Array.from({ length: 12 }, () => codeOf(home.create()));
    const commands = Array.from({ length: 12 }, () => codeOf(home.sh(id, 'sleep 1; cat kept')));
    const codes = [...(await Promise.all(others)), ...(await Promise.all(commands))].filter(
      (code) => code !== undefined,
    );
    expect(codes.length).toBeGreaterThan(0);
    expect(codes).not.toContain('internal');
    // Those that hold descriptors have ended.
    expect(home.hasEnded() ? home.said : '').toBe('');
    expect(home.hasEnded()).toBe(false);
    expect(await home.sh(id, 'cat kept')).toBe('kept\n');
    await home.restart();
    expect(await home.sh(id, 'cat kept')).toBe('kept\n');
    expect(await home.close()).toEqual([]);
  });

  it.each([4096, 200_000])('says that files may not be larger than %i bytes, and loses nothing', async (bytes) => {
    await using home = await FaultHome.open();
    const id = await home.create();
    await home.sh(id, 'echo kept > kept; sync kept');
    await home.kill();
    await home.start(['prlimit', `--fsize=${bytes}:`]);
    const seed = new URL('../../src/machine', import.meta.url).pathname;
    await home.sh(id, 'head -c 1000000 /dev/urandom > big; seq 1 100000');
    const exported = { workspace_id: id, path: 'big', output_path: home.on('out') };
    const codes = [
      await codeOf(home.create({ seed_path: seed })),
      await codeOf(home.call('workspace.export', exported)),
      await codeOf(home.call('workspace.snapshot.create', { workspace_id: id, snapshot_name: 'one' })),
      await codeOf(home.call('workspace.diff', { workspace_id: id })),
    ];
    expect(new Set(codes.filter((code) => code !== undefined))).toEqual(new Set(['file_size_limited']));
    expect(home.hasEnded()).toBe(false);
    expect(await home.sh(id, 'cat kept')).toBe('kept\n');
    await home.restart();
    expect(await home.sh(id, 'cat kept')).toBe('kept\n');
    expect(await home.close()).toEqual([]);
  });

  it('goes on where it was when its daemon was stopped for a while', async () => {
    await using home = await FaultHome.open();
    const id = await home.create();
    const running = home.sh(id, 'sleep 1; echo over');
    killNow(home.pid, 'SIGSTOP');
    expect(await codeOf(home.call('workspace.list', {}, AbortSignal.timeout(1000)))).toBeDefined();
    killNow(home.pid, 'SIGCONT');
    expect(await running).toBe('over\n');
    expect((await home.list()).size).toBe(1);
    expect(await home.close()).toEqual([]);
  });
});
