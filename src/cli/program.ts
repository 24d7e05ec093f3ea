// The command tree, made from the list of operations: no command is named here.
import { Argument, Command, Option } from 'commander';
import type { AnyOperation } from '../operations/define.ts';
import { groups, operations } from '../operations/index.ts';
import { wordFormOf } from '../operations/word-forms.ts';
import { commandLine } from '../shared/shell-words.ts';
import { addCompletion } from './completion.ts';
import { type FieldOptions, isNumeric, optionsOf, parseNumber, shapeOf } from './options.ts';

export interface CommandCall {
  readonly operation: AnyOperation;
  readonly input: Readonly<Record<string, unknown>>;
  readonly json: boolean;
  /** `--quiet`: ids alone */
  readonly isQuiet: boolean;
  /** `-t`: a terminal is demanded */
  readonly wantsTerminal: boolean;
  /** `-i`: standard input is passed on also where it is a terminal */
  readonly wantsInput: boolean;
  /** `--follow`: what comes is shown live */
  readonly follows: boolean;
}

/** The program; `onCall` gets each parsed command. `rest` are the words after `--`. */
export function createProgram(
  version: string,
  rest: readonly string[],
  onCall: (call: CommandCall) => Promise<void>,
): Command {
  const program = new Command('pyro')
    .description('A disposable Linux computer for coding agents: each command runs in a microVM made from an OCI image')
    .version(version, '-V, --version')
    .showHelpAfterError('(add --help for the options)')
    .enablePositionalOptions()
    .addOption(jsonOption().hideHelp());
  const parents = new Map<string, Command>();
  for (const operation of operations.filter(({ definition }) => definition.isToolOnly !== true)) {
    const words = operation.definition.name.split('.');
    const last = words.pop() ?? '';
    let parent = program;
    words.forEach((word, index) => {
      const path = words.slice(0, index + 1).join(' ');
      const known = parents.get(path) ?? addGroup(parent, word, groups[path] ?? path);
      parents.set(path, known);
      parent = known;
    });
    addCommand(parent, last, operation, rest, onCall);
  }
  addCompletion(program);
  return program;
}

function addGroup(parent: Command, word: string, description: string): Command {
  return parent.command(word).description(description).addOption(jsonOption().hideHelp());
}

/** Every command has it, and it may stand before the command's name as well. */
function jsonOption(): Option {
  return new Option('--json', 'print the result as JSON');
}

function addCommand(
  parent: Command,
  name: string,
  operation: AnyOperation,
  rest: readonly string[],
  onCall: (call: CommandCall) => Promise<void>,
): void {
  const { definition } = operation;
  const shape = shapeOf(definition.input);
  const command = parent
    .command(name.replaceAll('_', '-'))
    .summary(definition.summary)
    .description(`${definition.summary}.\n${definition.details}`);
  if (definition.rest !== undefined)
    command.usage(`[options] ${definition.positionals.map((each) => `<${each}>`).join(' ')} -- COMMAND…`);
  const takesLine = definition.rest !== undefined && shape.properties[definition.rest]?.type === 'string';
  const fields: { field: string; valueIn: FieldOptions['valueIn'] }[] = [];
  for (const [field, property] of Object.entries(shape.properties)) {
    if (field === definition.rest) continue;
    const isRequired = shape.required.includes(field);
    if (definition.positionals.includes(field)) {
      const argument = new Argument(isRequired ? `<${field}>` : `[${field}]`, property.description);
      // Told in help and completion; what does not fit is refused by the schema, as JSON where that is wanted.
      if (property.enum !== undefined) argument.argChoices = property.enum;
      command.addArgument(isNumeric(property) ? argument.argParser(parseNumber) : argument);
      continue;
    }
    const shown = { ...property, default: definition.commandDefaults?.[field] ?? property.default };
    const schema = definition.input.shape[field];
    const { options, valueIn } = optionsOf(field, shown, schema === undefined ? undefined : wordFormOf(schema));
    options.forEach((option) => void command.addOption(option));
    fields.push({ field, valueIn });
  }
  command.addOption(jsonOption());
  if (operation.hasIds) command.addOption(new Option('-q, --quiet', 'print ids alone, for scripts').conflicts('json'));
  if (operation.follow !== undefined) command.option('-f, --follow', 'show what comes, until it is over or Ctrl-C');
  if (definition.isLive === true) {
    const isAsked = definition.terminal === 'asked';
    command.option(
      '-i, --interactive',
      isAsked ? 'pass standard input on also where it is a terminal' : 'keep standard input open (it always is)',
    );
    command.option('-t, --tty', isAsked ? 'give the command a terminal' : 'demand a terminal');
  }
  const lines = definition.examples.map(({ why, command: line }) => `  ${line}\n      ${why}`);
  command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
  command.action(async (...args: unknown[]) => {
    const options = command.opts();
    const input: Record<string, unknown> = {};
    definition.positionals.forEach((field, index) => {
      if (args[index] !== undefined) input[field] = args[index];
    });
    for (const { field, valueIn } of fields) {
      const value = valueIn(options);
      if (value !== undefined) input[field] = value;
    }
    if (definition.rest !== undefined) input[definition.rest] = takesLine ? commandLine(rest) : [...rest];
    else if (rest.length > 0) command.error(`error: this command takes nothing after --`);
    const isOn = (flag: string): boolean => options[flag] === true;
    await onCall({
      operation,
      input,
      json: command.optsWithGlobals()['json'] === true,
      isQuiet: isOn('quiet'),
      follows: isOn('follow'),
      wantsTerminal: isOn('tty'),
      wantsInput: isOn('interactive'),
    });
  });
}
