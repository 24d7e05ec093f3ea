// What can follow which words of a command line, read off the command tree, for the completion of every shell.
import type { Command } from 'commander';

export interface CompletionCommand {
  /** Words after `pyro`, joined by spaces; empty for the program itself */
  readonly path: string;
  readonly commands: readonly Described[];
  readonly options: readonly CompletionOption[];
  /** Values of each argument by position; empty where any word may stand */
  readonly positionals: readonly CompletionArgument[];
}

export interface CompletionArgument {
  readonly values: readonly string[];
  /** What is looked up when it is completed: names of things that are there now */
  readonly kind: NameKind | undefined;
  /** True where all further words are such ones too */
  readonly isSeveral: boolean;
}

/** What `pyro __complete` knows names of, by the name of the argument or option that takes one */
const kinds = {
  workspace: 'workspace',
  environment: 'environment',
  sequence: 'sequence',
  base: 'snapshot',
  snapshot: 'snapshot',
  'snapshot-name': 'snapshot',
  'service-name': 'service',
  'shell-id': 'shell',
  source: 'place',
  target: 'place',
} as const;
export type NameKind = (typeof kinds)[keyof typeof kinds];
const kindOf = new Map<string, NameKind>(Object.entries(kinds));

export interface Described {
  readonly name: string;
  readonly summary: string;
}

export interface CompletionOption extends Described {
  /** `-t` of `-t, --tty` */
  readonly short: string | undefined;
  readonly takesValue: boolean;
  readonly values: readonly string[];
  readonly kind: NameKind | undefined;
}

/** The program and everything below it, parents first. */
export function completionTree(command: Command, path = ''): CompletionCommand[] {
  const help = command.createHelp();
  const below = help.visibleCommands(command);
  const node: CompletionCommand = {
    path,
    commands: below.map((each) => ({ name: each.name(), summary: oneLine(each.summary() || each.description()) })),
    options: help.visibleOptions(command).map((option) => ({
      name: option.long ?? option.flags,
      short: option.short ?? undefined,
      summary: oneLine(option.description),
      takesValue: option.required || option.optional,
      values: option.argChoices ?? [],
      kind: option.argChoices === undefined && option.required ? kindOf.get(option.name()) : undefined,
    })),
    positionals: command.registeredArguments.map((argument) => ({
      values: argument.argChoices ?? [],
      kind: argument.argChoices === undefined ? kindOf.get(argument.name()) : undefined,
      isSeveral: argument.variadic,
    })),
  };
  return [node, ...below.flatMap((each) => completionTree(each, path === '' ? each.name() : `${path} ${each.name()}`))];
}

export function singleQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Flags that take the next word as their value, short and long. */
export function valuedFlags({ options }: CompletionCommand): string[] {
  return options.filter(({ takesValue }) => takesValue).flatMap(flagsOf);
}

export function flagsOf({ name, short }: CompletionOption): string[] {
  return short === undefined ? [name] : [short, name];
}

/** Where values are known, by what stands before them: `run --network-policy`, or `host connect 0` for an argument. */
export function knownValues(tree: readonly CompletionCommand[]): { at: string; values: readonly string[] }[] {
  return tree
    .flatMap(({ path, options, positionals }) => [
      ...options.flatMap((option) => flagsOf(option).map((flag) => ({ at: `${path} ${flag}`, values: option.values }))),
      ...positionals.map(({ values }, index) => ({ at: `${path} ${index}`, values })),
    ])
    .filter(({ values }) => values.length > 0);
}

/** Where a name of something that is there may stand, as pattern of `case`: `'logs --sequence'`, `'rm '*` for many words. */
export function knownKinds(tree: readonly CompletionCommand[]): { pattern: string; kind: NameKind }[] {
  const all = tree.flatMap(({ path, options, positionals }) => [
    ...options.flatMap((option) =>
      flagsOf(option).map((flag) => ({ pattern: singleQuoted(`${path} ${flag}`), kind: option.kind })),
    ),
    ...positionals.map(({ kind, isSeveral }, index) => ({
      pattern: isSeveral ? `${singleQuoted(`${path} `)}[0-9]*` : singleQuoted(`${path} ${index}`),
      kind,
    })),
  ]);
  return all.flatMap(({ pattern, kind }) => (kind === undefined ? [] : [{ pattern, kind }]));
}

function oneLine(text: string): string {
  return text.split('\n')[0]?.trim() ?? '';
}

/** The functions that both scripts look words up with, from the branches of their `case`. */
export function lookupFunctions(
  commands: readonly string[],
  values: readonly string[],
  tree: readonly CompletionCommand[],
): string {
  const branches = knownKinds(tree).map(({ pattern, kind }) => `    ${pattern}) kind=${kind} ;;\n`);
  return `_pyro_command() {
  case $1 in
${commands.join('')}  esac
}
_pyro_values() {
  case $1 in
${values.join('')}  esac
}
_pyro_kind() {
  case $1 in
${branches.join('')}  esac
}`;
}
