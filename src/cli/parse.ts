// Runs a command tree over the arguments and turns every ending into an exit code.
import { type Command, CommanderError } from 'commander';
import { isPyroError } from '../shared/errors.ts';
import { printError } from './print.ts';

export const exitUsage = 2;

/** Exit code of help, of a fault in the command line, or of an error; undefined when the command itself decides. */
export async function parseArguments(program: Command, argv: readonly string[]): Promise<number | undefined> {
  overrideExit(program);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return undefined;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitUsage;
    await printError(error, argv.includes('--json'));
    return isPyroError(error, 'usage') ? exitUsage : 1;
  }
}

function overrideExit(command: Command): void {
  command.exitOverride();
  command.commands.forEach(overrideExit);
}
