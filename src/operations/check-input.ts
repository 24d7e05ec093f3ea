// Input of an operation that does not fit, told in a way that shows what would.
import type { z } from 'zod';
import { PyroError } from '../shared/errors.ts';
import type { AnyOperation } from './define.ts';
import { exampleOf } from './input-example.ts';
import { describeFault } from './input-fault.ts';
import { meaningOf, namesNear } from './input-names.ts';

const longestName = 80;
const mostFaults = 8;

/**
 * The parsed input. Throws `usage`, with one clause for each fault, the names that are expected and a right input.
 * `shown` are the names that the caller may know, where they are not all.
 */
export function parseInput(
  operation: AnyOperation,
  input: unknown,
  shown?: readonly string[],
): Readonly<Record<string, unknown>> {
  const parsed = operation.definition.input.safeParse(input);
  if (parsed.success) return parsed.data;
  throw misfit(operation, parsed.error, input, shown);
}

/** What is told of an input that does not fit. */
export function misfit(
  operation: Pick<AnyOperation, 'definition'>,
  error: z.ZodError,
  input: unknown,
  shown?: readonly string[],
): PyroError {
  const names = shown ?? Object.keys(operation.definition.input.shape);
  const given = typeof input === 'object' && input !== null ? input : {};
  const wanted = new Set<string>();
  const faults = error.issues.map((issue) => {
    const [first] = issue.path;
    const field = issue.path.map(String).join('.').slice(0, longestName);
    if (typeof first === 'string') wanted.add(first);
    if (issue.code === 'unrecognized_keys' && issue.path.length === 0) {
      return issue.keys.map((key) => unknownName(key, names, wanted)).join('; ');
    }
    if (issue.code === 'invalid_type' && issue.path.length === 1 && !(field in given)) return `${field} is missing`;
    return field === '' ? describeFault(issue) : `${field}: ${describeFault(issue)}`;
  });
  const more = faults.length > mostFaults ? [`and ${faults.length - mostFaults} more`] : [];
  return new PyroError('usage', [...faults.slice(0, mostFaults), ...more].join('; '), {
    hint:
      names.length === 0
        ? 'it takes no arguments'
        : `example: ${exampleOf(
            operation,
            [...wanted].filter((name) => names.includes(name)),
          )}; arguments: ${names.join(', ')}`,
    details: { expected: [...names] },
  });
}

/** What an unknown name may have meant becomes part of the example. */
function unknownName(key: string, names: readonly string[], wanted: Set<string>): string {
  const { fields } = meaningOf(key, names);
  const near = fields.length > 0 ? fields : namesNear(key, names);
  for (const name of near) wanted.add(name);
  const shown = key.slice(0, longestName);
  return `unknown argument ${shown}${near.length === 0 ? '' : `, is it ${near.join(' or ')}?`}`;
}
