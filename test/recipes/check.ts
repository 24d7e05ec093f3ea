// Assertions in the words of a user; each one that holds is written down.
import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import type { RunRecord } from './run-record.ts';

/** A pattern is looked for, an object may have more fields, everything else is the same; else it throws. */
export type Check = (words: string, actual: unknown, expected: unknown) => void;

export function createCheck({ hold }: Pick<RunRecord, 'hold'>): Check {
  return (words, actual, expected) => {
    if (!holds(actual, expected)) {
      const shown = (value: unknown): string => inspect(value, { depth: 4, breakLength: 100 });
      throw new Error(`${words}: expected ${shown(expected)}, got ${shown(actual)}`);
    }
    hold(words);
  };
}

function holds(actual: unknown, expected: unknown): boolean {
  if (expected instanceof RegExp) return typeof actual === 'string' && expected.test(actual);
  try {
    // Part of a list would be any list for an empty one.
    if (typeof expected === 'object' && expected !== null && !Array.isArray(expected)) {
      assert.partialDeepStrictEqual(actual, expected);
    } else {
      assert.deepStrictEqual(actual, expected);
    }
    return true;
  } catch {
    // What differs is said by the caller, with the words of the check.
    return false;
  }
}
