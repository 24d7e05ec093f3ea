// The command tree, made from the list of operations: no command is named here.
import { Command } from 'commander';
import { groups, operations } from '../operations/index.ts';
import { addCommand, jsonOption, type OnCall } from './command.ts';
import { addCompletion } from './completion.ts';

/** The program; `onCall` gets each parsed command. `rest` are the words after `--`. */
export function createProgram(version: string, rest: readonly string[], onCall: OnCall): Command {
  const program = new Command('pyro')
    .description('A disposable Linux computer for coding agents: each command runs in a microVM made from an OCI image')
    .version(version, '-V, --version')
    .enablePositionalOptions()
    .addOption(jsonOption().hideHelp());
  const commands = operations.filter(({ definition }) => definition.isToolOnly !== true);
  for (const operation of commands) {
    const { short } = operation.definition;
    if (short !== undefined) addCommand(program, short, operation, rest, onCall).helpGroup('Daily commands:');
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
    addCommand(parent, last, operation, rest, onCall);
  }
  addCompletion(program);
  return program;
}

function addGroup(parent: Command, word: string, description: string): Command {
  return parent.command(word).description(description).addOption(jsonOption().hideHelp());
}
