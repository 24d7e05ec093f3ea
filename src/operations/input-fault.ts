// A fault that a schema found, in words for whoever wrote the input: what is wanted there, not what a schema calls it.
import type { z } from 'zod';

type Issue = z.core.$ZodIssue;

/** How schemas begin a sentence of their own; one of ours says more than they could */
const ownWords = /^(?:Invalid|Too (?:big|small)|Unrecognized)\b/;
const kinds: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'an object',
  record: 'an object',
};

/** What is wrong with the value, without its name. */
export function describeFault(issue: Issue): string {
  if (!ownWords.test(issue.message)) return issue.message;
  switch (issue.code) {
    case 'invalid_type':
      return `it must be ${kinds[issue.expected] ?? issue.expected}`;
    case 'too_big':
      return `at most ${issue.maximum}${countedIn(issue.origin)}`;
    case 'too_small':
      return Number(issue.minimum) === 1 && issue.origin === 'string'
        ? 'it must not be empty'
        : `at least ${issue.minimum}${countedIn(issue.origin)}`;
    case 'invalid_value':
      return `it must be one of ${issue.values.map(String).join(', ')}`;
    case 'invalid_format':
      return `it must be ${issue.format === 'regex' ? `like ${issue.pattern}` : `of the form ${issue.format}`}`;
    case 'invalid_key':
      return issue.issues.map(describeFault).join('; ');
    case 'unrecognized_keys':
      return `unknown: ${issue.keys.join(', ')}`;
    default:
      return 'it is not valid';
  }
}

function countedIn(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' ? ' items' : '';
}
