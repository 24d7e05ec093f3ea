// Work that several wait for: nobody's leaving is anybody else's failure, and no failure stays.
import { expect, it } from 'vitest';
import { KeptWork, SharedWork } from '../../../src/shared/shared-work.ts';

/** Work that ends when the test says so, and notes each beginning with its signal. */
function workOf<T>() {
  const begun: { signal: AbortSignal; resolve: (value: T) => void; reject: (error: unknown) => void }[] = [];
  const begin = (signal: AbortSignal): Promise<T> => {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    begun.push({ signal, resolve, reject });
    return promise;
  };
  return { begun, begin };
}

it('is begun once, and each who waits gets its result', async () => {
  const { begun, begin } = workOf<number>();
  const shared = new SharedWork<number>();
  const both = Promise.all([shared.join(undefined, begin), shared.join(undefined, begin)]);
  begun[0]?.resolve(7);
  expect(await both).toEqual([7, 7]);
  expect(begun).toHaveLength(1);
  expect(shared.isIdle).toBe(true);
});

it('goes on while one still waits, and is given up with the last', async () => {
  const { begun, begin } = workOf<number>();
  const shared = new SharedWork<number>();
  const [first, second] = [new AbortController(), new AbortController()];
  const joins = [shared.join(first.signal, begin), shared.join(second.signal, begin)];
  const ended = Promise.allSettled(joins);
  first.abort(new Error('the first has gone'));
  await expect(joins[0]).rejects.toThrow('the first has gone');
  expect(begun[0]?.signal.aborted).toBe(false);
  second.abort(new Error('the second has gone'));
  await ended;
  expect(begun[0]?.signal.aborted).toBe(true);
});

it('is begun anew by who comes after it was given up, however long that takes to end', async () => {
  const { begun, begin } = workOf<number>();
  const shared = new SharedWork<number>();
  const leaving = new AbortController();
  const first = shared.join(leaving.signal, begin);
  leaving.abort(new Error('gone'));
  await expect(first).rejects.toThrow('gone');
  const second = shared.join(undefined, begin);
  begun[0]?.reject(new Error('it was given up'));
  begun[1]?.resolve(8);
  expect(await second).toBe(8);
});

it('is not begun for who has left already', async () => {
  const { begun, begin } = workOf<number>();
  await expect(new SharedWork<number>().join(AbortSignal.abort(new Error('gone')), begin)).rejects.toThrow('gone');
  expect(begun).toEqual([]);
});

it('is kept once it was made, and a failure is not', async () => {
  const { begun, begin } = workOf<number>();
  const kept = new KeptWork<number>();
  const failing = kept.join(undefined, begin);
  begun[0]?.reject(new Error('not now'));
  await expect(failing).rejects.toThrow('not now');
  const made = kept.join(undefined, begin);
  begun[1]?.resolve(9);
  expect(await made).toBe(9);
  expect(await kept.join(undefined, begin)).toBe(9);
  expect(kept.value).toBe(9);
  expect(begun).toHaveLength(2);
});
