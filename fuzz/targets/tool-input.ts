// Arguments of every operation, as models write them.
import { deepStrictEqual as same } from 'node:assert';
import { z } from 'zod';
import { parseInput } from '../../src/operations/check-input.ts';
import { forgiveInput } from '../../src/operations/forgive-input.ts';
import { operations } from '../../src/operations/index.ts';
import { toolInputs } from '../examples.ts';
import { type Target, tolerate } from '../target.ts';

const fields = z.record(z.string(), z.unknown());
const names = [...new Set(operations.flatMap(({ definition }) => Object.keys(definition.input.shape)))];

export const toolInput: Target = {
  isSlow: true,
  examples: toolInputs,
  words: names.map((name) => `"${name}":`),
  run: (input) => {
    let given: unknown;
    try {
      given = JSON.parse(input.toString('utf8'));
    } catch {
      // The transport reads JSON; what is none never comes here.
      return;
    }
    const parsed = fields.safeParse(given);
    if (!parsed.success) return;
    for (const operation of operations) {
      tolerate(() => {
        const { input: whole } = forgiveInput(operation, parsed.data);
        parseInput(operation, whole);
        same(forgiveInput(operation, whole), { input: whole, notes: [] });
      });
    }
  },
};
