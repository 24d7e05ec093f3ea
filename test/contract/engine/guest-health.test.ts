// The health of a guest without QEMU: silent, killed, switched off; what its calls, its state and the ways out of it say and cost.
import { kill } from 'node:process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listInput } from '../../../src/contract/workspaces.ts';
import { call, exec } from '../../support/engine.ts';
import { StandInHouse } from '../../support/stand-in-house.ts';
import { standInObstacle } from '../../support/stand-in-machine.ts';
import { until } from '../../support/until.ts';

const obstacle = standInObstacle();
let house: StandInHouse;

beforeEach(async ({ skip }) => {
  if (obstacle !== undefined) skip(obstacle);
  house = await StandInHouse.open();
});
afterEach(async () => {
  signalAgents('SIGCONT');
  await house[Symbol.asyncDispose]();
});

function signalAgents(signal: NodeJS.Signals): void {
  for (const pid of house.engine.standIn.agents()) kill(pid, signal);
}

const stateOf = async (): Promise<{ state: string; reason: string | null }> => {
  const { workspaces } = await house.all.list(listInput.parse({}));
  const found = workspaces.find(({ workspace_id: id }) => id === house.id);
  return { state: found?.state ?? 'none', reason: found?.state_reason ?? null };
};

async function timed<T>(work: () => Promise<T>): Promise<{ ms: number; result: T | Error }> {
  const startedAt = performance.now();
  const result = await work().catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
  return { ms: performance.now() - startedAt, result };
}

describe('a guest that does not answer', () => {
  it('fails each call within seconds, with the steps that help, and is heard again by itself', async () => {
    signalAgents('SIGSTOP');
    const first = await timed(() => exec(house.engine, house.id, 'echo hi'));
    expect(first.result).toMatchObject({
      code: 'guest_unresponsive',
      message: expect.stringContaining('is stopped by a signal'),
      hint: expect.stringMatching(/kill -CONT \d+.*workspace\.stop.*workspace\.start.*workspace\.reset/s),
    });
    expect(first.ms).toBeLessThan(5000);
    expect(await stateOf()).toMatchObject({
      state: 'unresponsive',
      reason: expect.stringContaining('stopped by a signal'),
    });
    const filtered = await house.all.list(listInput.parse({ state: 'unresponsive' }));
    expect(filtered.count).toBe(1);
    const second = await timed(() => house.read('x'));
    expect(second.result).toMatchObject({ code: 'guest_unresponsive' });
    expect(second.ms).toBeLessThan(3000);
    signalAgents('SIGCONT');
    await until(async () => (await stateOf()).state === 'started');
    // The same guest: nothing was ended, and what was begun has gone on.
    expect(await exec(house.engine, house.id, 'echo hi')).toMatchObject({ stdout: 'hi\n', restarted: false });
  });

  it('is stopped, started, reset and deleted within seconds', async () => {
    await house.sh('echo kept > kept; sync');
    signalAgents('SIGSTOP');
    const stop = await timed(() => house.all.stop({ workspace_id: house.id }, call()));
    expect(stop.result).toMatchObject({ state: 'stopped', stop_reason: 'explicit' });
    expect(stop.ms).toBeLessThan(5000);
    await house.all.start({ workspace_id: house.id }, call());
    expect(await house.sh('cat kept')).toBe('kept\n');
    signalAgents('SIGSTOP');
    const reset = await timed(() => house.all.reset({ workspace_id: house.id, snapshot: 'baseline' }, call()));
    expect(reset.result).toMatchObject({ state: 'started', reset_count: 1 });
    expect(reset.ms).toBeLessThan(5000);
    expect(await house.sh('ls')).toBe('');
    signalAgents('SIGSTOP');
    const request = { workspace_id: house.id, force: true, dry_run: false };
    const gone = await timed(() => house.all.delete(request, call()));
    expect(gone.result).toMatchObject({ deleted: true, not_brought_home: null });
    expect(gone.ms).toBeLessThan(5000);
    expect(house.engine.standIn.alive.size).toBe(0);
  });

  it('is not ended by a daemon that comes anew, and is heard again', async () => {
    signalAgents('SIGSTOP');
    await house.engine.reopen();
    expect(await timed(() => exec(house.engine, house.id, 'echo hi'))).toMatchObject({
      result: { code: 'guest_unresponsive' },
    });
    expect(await stateOf()).toMatchObject({ state: 'unresponsive' });
    signalAgents('SIGCONT');
    expect(await exec(house.engine, house.id, 'echo hi')).toMatchObject({ stdout: 'hi\n', restarted: false });
    expect(await stateOf()).toEqual({ state: 'started', reason: null });
  });

  it.each(['stop', 'reset', 'delete'] as const)(
    'is ended by %s, also where no session was opened with it',
    async (way) => {
      signalAgents('SIGSTOP');
      await house.engine.reopen();
      const target = { workspace_id: house.id };
      const calls = {
        stop: () => house.all.stop(target, call()),
        reset: () => house.all.reset({ ...target, snapshot: 'baseline' }, call()),
        delete: () => house.all.delete({ ...target, force: true, dry_run: false }, call()),
      };
      const { ms, result } = await timed<unknown>(calls[way]);
      expect(result).not.toBeInstanceOf(Error);
      expect(ms).toBeLessThan(5000);
      await until(() => house.engine.standIn.alive.size === (way === 'reset' ? 1 : 0));
      if (way !== 'delete') await house.all.start(target, call());
      if (way !== 'delete') expect(await house.sh('echo back')).toBe('back\n');
    },
  );
});

describe('a guest that ends in a command', () => {
  const endAgents = (): void => signalAgents('SIGKILL');

  it.each([
    ['panic', 'its kernel panicked: test', 'crashed', 'crash'],
    ['killed', 'its QEMU process was killed', 'crashed', 'crash'],
    ['power_off', 'something in it switched it off', 'stopped', 'guest'],
    ['reboot', 'something in it rebooted it', 'stopped', 'guest'],
  ] as const)('by %s is told at once with the reason, never as a success', async (cause, text, state, stop) => {
    house.engine.standIn.end = { cause, text };
    const running = timed(() => exec(house.engine, house.id, 'echo before; sleep 30'));
    await until(
      async () => (await house.all.status({ workspace_id: house.id }, call())).running_sequences.length === 1,
    );
    const endedAt = performance.now();
    endAgents();
    const { result } = await running;
    expect(result).toMatchObject({
      code: 'guest_ended',
      message: `the guest ended while the command ran: ${text}`,
      hint: expect.stringContaining('workspace.logs'),
    });
    expect(performance.now() - endedAt).toBeLessThan(3000);
    await until(async () => (await stateOf()).state !== 'started');
    expect(await stateOf()).toEqual({ state, reason: text });
    const status = await house.all.status({ workspace_id: house.id }, call());
    expect(status).toMatchObject({ state, state_reason: text, stop_reason: stop });
    expect(await exec(house.engine, house.id, 'echo again')).toMatchObject({ stdout: 'again\n', restarted: true });
    expect(await stateOf()).toEqual({ state: 'started', reason: null });
  });

  it('fails another call that it cuts off with the reason, too', async () => {
    house.engine.standIn.end = { cause: 'panic', text: 'its kernel panicked: test' };
    signalAgents('SIGSTOP');
    const reading = timed(() => house.read('/etc/hostname'));
    endAgents();
    expect((await reading).result).toMatchObject({ code: 'guest_ended', message: expect.stringContaining('panicked') });
  });
});
