// Input of an operation that does not fit, told in a way that names what would.
import type { z } from 'zod';
import { PyroError } from '../shared/errors.ts';
import type { AnyOperation } from './define.ts';

/** The parsed input. Throws `usage`, with one clause for each fault and the names that are expected. */
export function parseInput(operation: AnyOperation, input: unknown): Readonly<Record<string, unknown>> {
  const parsed = operation.definition.input.safeParse(input);
  if (parsed.success) return parsed.data;
  throw inputError(operation, parsed.error, input);
}

export function inputError(operation: AnyOperation, error: z.ZodError, input: unknown): PyroError {
  const given = typeof input === 'object' && input !== null ? input : {};
  const names = Object.keys(operation.definition.input.shape);
  const faults = error.issues.map((issue) => {
    const field = issue.path.map(String).join('.');
    if (issue.code === 'unrecognized_keys') return `unknown argument ${issue.keys.join(', ')}`;
    if (issue.code === 'invalid_type' && issue.path.length === 1 && !(field in given)) return `${field} is missing`;
    return field === '' ? issue.message : `${field}: ${issue.message}`;
  });
  return new PyroError('usage', faults.join('; '), {
    hint: names.length === 0 ? 'it takes no arguments' : `arguments: ${names.join(', ')}`,
    details: { expected: names },
  });
}
