// One command of the tree, made from the definition of its operation: arguments, options, help, and what a line means.
import { type Command, Option } from 'commander';
import { wordFormOf } from '../contract/word-forms.ts';
import type { AnyOperation } from '../operations/define.ts';
import { workspaceFieldOf } from '../operations/workspace-reference.ts';
import { commandLine } from '../shared/shell-words.ts';
import { argumentsOf, readPositionals, usageOf } from './arguments.ts';
import { withOptionNames } from './option-names.ts';
import { type FieldOptions, optionsOf, shapeOf } from './options.ts';

export interface CommandCall {
  readonly operation: AnyOperation;
  readonly input: Readonly<Record<string, unknown>>;
  /** Several workspaces, each for a call of its own; empty for one */
  readonly several: readonly string[];
  /** True when no workspace was named and the one of this folder is meant */
  readonly isWorkspaceOpen: boolean;
  readonly json: boolean;
  /** `--quiet`: ids alone */
  readonly isQuiet: boolean;
  /** `-t`: a terminal is demanded */
  readonly wantsTerminal: boolean;
  /** `-i`: standard input is passed on even where it is a terminal */
  readonly wantsInput: boolean;
  /** `--raw-terminal`: a terminal gets the bytes of a guest as they are */
  readonly wantsRawTerminal: boolean;
  /** `--follow`: what comes is shown live */
  readonly follows: boolean;
}

export type OnCall = (call: CommandCall) => Promise<void>;

/** Every command has it, and it may stand before the command's name as well. */
export function jsonOption(): Option {
  return new Option('--json', 'print the result as JSON');
}

/** The call with the words after `--`, as the line or the list that the operation takes. */
export function withRest(call: CommandCall, rest: readonly string[]): CommandCall {
  const { rest: field, input } = call.operation.definition;
  if (field === undefined) return call;
  const isLine = shapeOf(input).properties[field]?.type === 'string';
  return { ...call, input: { ...call.input, [field]: isLine ? commandLine(rest) : [...rest] } };
}

/** Adds the command by a name of one word. */
export function addCommand(
  parent: Command,
  name: string,
  operation: AnyOperation,
  hasRest: boolean,
  onCall: OnCall,
): Command {
  const { definition } = operation;
  const shape = shapeOf(definition.input);
  const command = parent
    .command(name.replaceAll('_', '-'))
    .summary(definition.summary)
    .description(`${definition.summary}.\n${withOptionNames(operation, definition.details)}`)
    .usage(usageOf(operation, shape));
  for (const argument of argumentsOf(operation, shape)) command.addArgument(argument);
  const fields: { field: string; valueIn: FieldOptions['valueIn'] }[] = [];
  for (const [field, property] of Object.entries(shape.properties)) {
    if (field === definition.rest || definition.positionals.includes(field)) continue;
    if (definition.placeFields !== undefined && field === workspaceFieldOf(operation)) continue;
    const shown = { ...property, default: definition.commandDefaults?.[field] ?? property.default };
    const schema = definition.input.shape[field];
    const { options, valueIn } = optionsOf(field, shown, schema === undefined ? undefined : wordFormOf(schema));
    options.forEach((option) => void command.addOption(option));
    fields.push({ field, valueIn });
  }
  command.addOption(jsonOption());
  if (operation.hasIds) command.addOption(new Option('-q, --quiet', 'print only ids, for scripts').conflicts('json'));
  if (operation.follow !== undefined) command.option('-f, --follow', 'keep showing output until it ends or Ctrl-C');
  if (definition.isLive === true && definition.terminal !== 'never') {
    const isAsked = definition.terminal === 'asked';
    command.option(
      '-i, --interactive',
      isAsked ? 'pass standard input on even from a terminal' : 'keep standard input open (it always is)',
    );
    command.option('-t, --tty', isAsked ? 'give the command a terminal' : 'require a terminal');
  }
  if (definition.isLive === true || definition.showsContent === true || operation.follow !== undefined)
    command.option('--raw-terminal', 'give a terminal all bytes of the guest, also those that are orders to it');
  const long = `pyro ${definition.name.replaceAll('.', ' ')} `;
  // Under its short name a command is shown by that one.
  const shown = (line: string): string => (name === definition.short ? line.replaceAll(long, `pyro ${name} `) : line);
  const lines = definition.examples.map(({ why, command: line }) => `  ${shown(line)}\n      ${why}`);
  command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
  command.action(async () => {
    const options = command.opts();
    const { input: positional, several, isWorkspaceOpen } = readPositionals(operation, shape, command.args);
    const input: Record<string, unknown> = { ...positional };
    for (const { field, valueIn } of fields) {
      const value = valueIn(options);
      if (value !== undefined) input[field] = value;
    }
    if (definition.rest === undefined && hasRest) command.error('error: this command takes nothing after --');
    const isOn = (flag: string): boolean => options[flag] === true;
    await onCall({
      operation,
      input,
      several,
      isWorkspaceOpen,
      json: command.optsWithGlobals()['json'] === true,
      isQuiet: isOn('quiet'),
      follows: isOn('follow'),
      wantsTerminal: isOn('tty'),
      wantsInput: isOn('interactive'),
      wantsRawTerminal: isOn('rawTerminal'),
    });
  });
  return command;
}
