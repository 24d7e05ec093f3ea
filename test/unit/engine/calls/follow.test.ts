// Which command is followed when none is named, and how that is said.
import { expect, it } from 'vitest';
import type { CommandRecord } from '../../../../src/contract/records.ts';
import { chooseCommand } from '../../../../src/engine/calls/follow.ts';

function record(sequence: number, isRunning: boolean, command = `sleep ${sequence}`): CommandRecord {
  const ended = isRunning ? null : 2;
  const rest = { cwd: '/workspace', user: null, process: null, timed_out: false, lost: false, cut: false };
  return { ...rest, sequence, command, started_at: 1, ended_at: ended, exit_code: isRunning ? null : 0 };
}

async function choose(...all: CommandRecord[]): Promise<{ sequence: number; told: string }> {
  const running = all.filter(({ ended_at: ended }) => ended === null);
  async function* newest(): AsyncGenerator<CommandRecord> {
    yield* all.toReversed();
  }
  const { record: chosen, told } = await chooseCommand({ newest, running: () => running });
  return { sequence: chosen.sequence, told };
}

it('the one that runs is taken, also when newer ones have ended', async () => {
  expect(await choose(record(1, true), record(2, false))).toEqual({ sequence: 1, told: '[logs] command 1: sleep 1\n' });
});

it('of several that run it is the newest', async () => {
  expect(await choose(record(1, true), record(2, true), record(3, false))).toEqual({
    sequence: 2,
    told: '[logs] command 2, the newest of 2: sleep 2\n',
  });
});

it('when none runs it is the last one', async () => {
  expect((await choose(record(1, false), record(2, false))).told).toBe('[logs] command 2, the last one: sleep 2\n');
  await expect(choose()).rejects.toThrow('no command was run');
});

it('a long line is cut, and control characters of it are no orders to the terminal', async () => {
  const { told } = await choose(record(1, true, `printf '\u001b[2J'\n${'x'.repeat(500)}`));
  expect(told).toContain("printf '\\x1b[2J'\\nxxx");
  expect(told.length).toBeLessThan(90);
});
