// The command tree, made from the list of operations: no command is named here.
import { Command } from 'commander';
import { dailyCommands, groups, helpGroups, operations, restOfCommands } from '../operations/index.ts';
import { addCommand, jsonOption, type OnCall } from './command.ts';
import { addCompletion } from './completion.ts';

/** The program; `onCall` gets each parsed command, without what stands after `--`: `hasRest` says that something does. */
export function createProgram(version: string, hasRest: boolean, onCall: OnCall): Command {
  const program = new Command('pyro')
    .description(
      'A disposable Linux computer for coding agents: each command runs in a microVM built from an OCI image',
    )
    .version(version, '-V, --version')
    .enablePositionalOptions()
    .configureHelp({
      subcommandTerm: (command) => command.name(),
      groupItems: (_all, shown, groupOf) => inOrder(shown, groupOf),
    })
    .commandsGroup(restOfCommands)
    .addHelpCommand(
      new Command('help').argument('[command...]').description('Show the help of a command').helpGroup(restOfCommands),
    )
    .addOption(jsonOption().hideHelp());
  const commands = operations.filter(({ definition }) => definition.isToolOnly !== true);
  for (const operation of commands) {
    const { short } = operation.definition;
    if (short !== undefined) addCommand(program, short, operation, hasRest, onCall).helpGroup(dailyCommands);
  }
  const parents = new Map<string, Command>();
  for (const operation of commands) {
    const words = operation.definition.name.split('.');
    const last = words.pop() ?? '';
    let parent = program;
    words.forEach((word, index) => {
      const path = words.slice(0, index + 1).join(' ');
      const known = parents.get(path) ?? addGroup(parent, word, groups[path] ?? path);
      parents.set(path, known);
      parent = known;
    });
    addCommand(parent, last, operation, hasRest, onCall);
  }
  addCompletion(program);
  return program;
}

/** Puts the first words into the groups of the help, once all of them are there. */
export function groupCommands(program: Command): void {
  for (const [title, names] of Object.entries(helpGroups)) {
    for (const command of program.commands) if (names.includes(command.name())) command.helpGroup(title);
  }
}

/** The items of a help by group, the groups in the order of the list. */
function inOrder<T>(items: T[], groupOf: (item: T) => string): Map<string, T[]> {
  const titles = [...new Set([...Object.keys(helpGroups), ...items.map(groupOf)])];
  const grouped = titles.map((title): [string, T[]] => [title, items.filter((item) => groupOf(item) === title)]);
  return new Map(grouped.filter(([, members]) => members.length > 0));
}

function addGroup(parent: Command, word: string, description: string): Command {
  return parent.command(word).description(description).addOption(jsonOption().hideHelp());
}
