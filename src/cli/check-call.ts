// The input of a command line, checked as the operation's schema wants it; what is wrong is told in the words of its options.
import { withHostPaths } from '../operations/host-path-input.ts';
import { describeFault } from '../operations/input-fault.ts';
import { PyroError } from '../shared/errors.ts';
import type { CommandCall } from './command.ts';
import { optionNames, withOptionNames } from './option-names.ts';

/** The whole input, with absolute paths; each fault becomes one line that names the option. */
export function checkInput(
  { operation, input: given }: CommandCall,
  defaults: Readonly<Record<string, unknown>>,
  fromStandardInput: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const whole: Record<string, unknown> = {
    ...operation.definition.commandDefaults,
    ...defaults,
    ...given,
    ...fromStandardInput,
  };
  const input = withHostPaths(operation.definition, whole, process.cwd());
  const parsed = operation.definition.input.safeParse(input);
  if (parsed.success) return input;
  const nameOf = optionNames(operation);
  const faults = parsed.error.issues.map((issue) => {
    const [field = '', ...below] = issue.path;
    if (field === operation.definition.rest && String(input[field] ?? '') === '') return 'a command is needed after --';
    const name = [nameOf(String(field)), ...below.filter((part) => typeof part === 'string')].join(' ').trim();
    if (issue.code === 'invalid_type' && below.length === 0 && input[String(field)] === undefined)
      return `${name} is missing`;
    const fault = withOptionNames(operation, describeFault(issue));
    return name === '' ? fault : `${name}: ${fault}`;
  });
  throw new PyroError('usage', faults.join('; '), {
    hint: `pyro ${operation.definition.name.replaceAll('.', ' ')} --help shows the options; example: ${operation.definition.examples[0]?.command ?? ''}`,
  });
}
