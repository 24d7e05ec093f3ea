// A signal that follows others: aborted with the first of them, and held by none of them once its work is over.
import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { followSignals } from '../../../src/shared/following-signal.ts';

it('is aborted with the reason of the first, also of one that was before', () => {
  const [one, other] = [new AbortController(), new AbortController()];
  using following = followSignals(one.signal, other.signal);
  expect(following.signal.aborted).toBe(false);
  other.abort(new Error('other'));
  one.abort(new Error('one'));
  expect(following.signal.reason).toMatchObject({ message: 'other' });
  using late = followSignals(new AbortController().signal, one.signal);
  expect(late.signal.reason).toMatchObject({ message: 'one' });
});

it('leaves nothing with those that live on, however often one was made', () => {
  const longLived = new AbortController();
  for (let turn = 0; turn < 1000; turn++) {
    using following = followSignals(longLived.signal, new AbortController().signal);
    following.signal.addEventListener('abort', () => undefined, { once: true });
  }
  expect(getEventListeners(longLived.signal, 'abort')).toEqual([]);
});
