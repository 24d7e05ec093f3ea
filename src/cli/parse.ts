// Runs a command tree over the arguments and turns every ending into an exit code.
import { type Command, CommanderError } from 'commander';
import { isPyroError, PyroError } from '../shared/errors.ts';
import { printError } from './print.ts';
import { nearest } from './suggest.ts';

export const exitUsage = 2;
const exitFailed = 1;

/** Exit code of help, of a fault in the command line, or of an error; undefined when the command itself decides. */
export async function parseArguments(program: Command, argv: readonly string[]): Promise<number | undefined> {
  let faulty = program;
  prepare(program, (command) => {
    faulty = command;
  });
  try {
    await program.parseAsync(helpWanted(argv), { from: 'user' });
    return undefined;
  } catch (error) {
    const isFault = error instanceof CommanderError;
    if (isFault && (error.exitCode === 0 || error.code === 'commander.help')) {
      return error.exitCode === 0 ? 0 : exitUsage;
    }
    const told = isFault ? usageError(error, faulty) : error;
    await printError(told, argv.includes('--json'));
    return isPyroError(told, 'usage') ? exitUsage : exitFailed;
  }
}

/** `help workspace exec` as `workspace exec --help`: the library's own help command takes one word. */
function helpWanted(argv: readonly string[]): string[] {
  const [first, ...words] = argv;
  return first === 'help' && words.length > 1 ? [...words, '--help'] : [...argv];
}

/** Errors are thrown, not printed; `onFault` is told whose they are. */
function prepare(command: Command, onFault: (command: Command) => void): void {
  command
    .exitOverride()
    .showSuggestionAfterError(false)
    .showHelpAfterError(false)
    .configureOutput({ outputError: () => onFault(command) });
  for (const each of command.commands) prepare(each, onFault);
}

function usageError(error: CommanderError, command: Command): PyroError {
  const message = error.message.replace(/^error: /, '');
  const path = pathOf(command);
  const word = /'([^']*)'/.exec(message)?.[1] ?? '';
  const suggestion = suggestionFor(error.code, word, command);
  if (suggestion !== undefined) return new PyroError('usage', message, { hint: `did you mean ${suggestion}?` });
  if (error.code === 'commander.missingArgument' && word === 'workspace') {
    const hint = 'name it by its id, the start of its id, or its name: pyro ps lists them';
    return new PyroError('usage', 'no workspace was named', { hint });
  }
  const takesCommand = command.usage().includes(' -- ');
  if (takesCommand && (error.code === 'commander.excessArguments' || error.code === 'commander.unknownOption')) {
    return new PyroError('usage', message, { hint: `the command goes after --: ${path} ${command.usage()}` });
  }
  return new PyroError('usage', message, { hint: `${path} --help shows the usage` });
}

function suggestionFor(code: string, word: string, command: Command): string | undefined {
  const help = command.createHelp();
  if (code === 'commander.unknownOption') {
    const flags = help.visibleOptions(command).flatMap(({ long }) => long ?? []);
    return joined(nearest(word.split('=')[0] ?? '', flags));
  }
  if (code !== 'commander.unknownCommand' && code !== 'commander.excessArguments') return undefined;
  if (command.commands.length === 0) return undefined;
  const near = nearest(
    word,
    help.visibleCommands(command).map((each) => each.name()),
  );
  const elsewhere = paths(rootOf(command)).filter((path) => path.endsWith(` ${word}`));
  const fewest = Math.min(...elsewhere.map((path) => path.split(' ').length));
  const shortest = elsewhere.filter((path) => path.split(' ').length === fewest);
  return joined(shortest.length > 0 ? shortest : near.map((name) => `${pathOf(command)} ${name}`));
}

function joined(names: readonly string[]): string | undefined {
  return names.length === 0 ? undefined : names.join(' or ');
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

function rootOf(command: Command): Command {
  return command.parent === null ? command : rootOf(command.parent);
}

function paths(command: Command): string[] {
  const below = command.createHelp().visibleCommands(command);
  return below.flatMap((each) => [pathOf(each), ...paths(each)]);
}
