// `pyro mcp serve` and `pyro daemon serve` alone: chat hosts start one for a mere list of tools, so nothing else is loaded.
import { Command } from 'commander';
import { installInterrupts } from './interrupts.ts';
import { parseArguments } from './parse.ts';
import { addServers, type Servers } from './servers.ts';

/** Runs the command line and gives the exit code. */
export async function executeServer(argv: readonly string[], servers: Servers): Promise<number> {
  let exitCode = 0;
  const program = new Command('pyro').showHelpAfterError('(add --help for the options)');
  addServers(program, servers, installInterrupts().signal, (code) => {
    exitCode = code;
  });
  return (await parseArguments(program, argv)) ?? exitCode;
}
