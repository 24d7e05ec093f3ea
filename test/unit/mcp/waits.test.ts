// What a call over MCP may wait, and what a host's cancel means.
import { expect, it } from 'vitest';
import { capWait, waitingSignal } from '../../../src/mcp/waits.ts';
import { operations } from '../../../src/operations/index.ts';
import { isNoLongerWaiting } from '../../../src/shared/leaving.ts';

const guardMs = 45_000;
const waiting = operations.filter(({ definition }) => definition.input.shape['wait_seconds'] !== undefined);

it('knows the operations that wait', () => {
  const names = waiting.map(({ definition }) => definition.name);
  expect(names).toEqual(
    expect.arrayContaining(['workspace.exec', 'workspace.logs', 'workspace.service.logs', 'workspace.shell.read']),
  );
});

it.each(waiting)('waits no longer than the server answers: $definition.name', (operation) => {
  const { input, notes } = capWait(operation, { wait_seconds: 3600, other: 1 }, guardMs);
  expect(input).toEqual({ wait_seconds: 40, other: 1 });
  expect(notes).toEqual([expect.stringContaining('40 s')]);
  expect(capWait(operation, { wait_seconds: 30 }, guardMs)).toEqual({ input: { wait_seconds: 30 }, notes: [] });
});

it('takes the cancel of a host for the end of its patience alone', () => {
  const cancelled = new AbortController();
  const signal = waitingSignal(cancelled.signal);
  expect(signal.aborted).toBe(false);
  cancelled.abort('MCP request cancelled by caller');
  expect(isNoLongerWaiting(signal.reason)).toBe(true);
});
