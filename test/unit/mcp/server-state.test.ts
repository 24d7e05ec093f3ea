// What a server loads, and when: the host that lists tools waits for nothing, the first call of a model neither.
import { expect, it, vi } from 'vitest';
import { factsOf } from '../../../src/mcp/catalogue.ts';
import { openServerState } from '../../../src/mcp/server-state.ts';
import { operations } from '../../../src/operations/index.ts';
import { serverOptionsSchema } from '../../../src/shared/server-options.ts';
import { until } from '../../support/until.ts';

function opened(load: () => Promise<typeof operations>) {
  return openServerState({
    options: serverOptionsSchema.parse({ no_project_source: true }),
    version: '0',
    catalogue: factsOf(operations),
    operations: load,
    signal: new AbortController().signal,
    invoke: async () => {
      throw new Error('nothing is called');
    },
  });
}

it('loads what calls need once tools were listed, and only once', async () => {
  const load = vi.fn(async () => operations);
  const state = opened(load);
  state.expectCalls();
  state.expectCalls();
  expect(load).not.toHaveBeenCalled();
  await until(() => load.mock.calls.length > 0);
  state.expectCalls();
  expect(await state.operation('doctor')).toBe(operations.find(({ definition }) => definition.name === 'doctor'));
  // One by the listing, one by the look-up above.
  expect(load).toHaveBeenCalledTimes(2);
});

it('leaves what cannot be loaded to the call that needs it', async () => {
  const load = vi.fn(async () => await Promise.reject(new Error('a file is missing')));
  const state = opened(load);
  state.expectCalls();
  await until(() => load.mock.calls.length > 0);
  await expect(state.operation('doctor')).rejects.toThrow('a file is missing');
});
