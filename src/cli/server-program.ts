// `mcp serve` and `daemon serve` in the command tree: help, options, and what is wrong with a command line.
import { Command, Option } from 'commander';
import { describeFault } from '../operations/input-fault.ts';
import { PyroError } from '../shared/errors.ts';
import { serverExamples, serverOptionsSchema } from '../shared/server-options.ts';
import { flagOf, optionOf, parseNumber, shapeOf, valueOfOption } from './options.ts';
import { parseArguments } from './parse.ts';
import { serverDefaults } from './server-defaults.ts';
import type { Servers } from './servers.ts';

/** Reads the command line with the tree of these commands alone. */
export async function runServerProgram(
  argv: readonly string[],
  servers: Servers,
  signal: AbortSignal,
): Promise<number> {
  let exitCode = 0;
  const program = new Command('pyro');
  addServers(program, servers, signal, (code) => {
    exitCode = code;
  });
  return (await parseArguments(program, argv)) ?? exitCode;
}

export function addServers(
  program: Command,
  servers: Servers,
  signal: AbortSignal,
  onExit: (code: number) => void,
): void {
  const daemon = program.commands.find((command) => command.name() === 'daemon') ?? program.command('daemon');
  daemon
    .command('serve', { hidden: true })
    .description('Run the daemon in this process.\nOther commands start it when they need it.')
    .addOption(new Option('--ready-fd <n>').argParser(parseNumber).hideHelp())
    .action(async (options: { readyFd?: number }) =>
      onExit(await servers.daemon({ readyFd: options.readyFd }, signal)),
    );

  const serve = program
    .command('mcp')
    .description('The server for chat hosts')
    .command('serve')
    .summary('Serve workspaces to a chat host over MCP, on standard input and output')
    .description(
      'Serve workspaces to a chat host over MCP, on standard input and output.\nChat hosts start it themselves. The project comes from --project-path or --repo-url, else from the roots that the host names, else from CLAUDE_PROJECT_DIR, else from the Git checkout of the working directory.',
    );
  const { properties } = shapeOf(serverOptionsSchema);
  const fields = Object.entries(properties).map(([field, property]) => {
    const option = optionOf(field, property);
    serve.addOption(option);
    return { field, option };
  });
  const lines = serverExamples.map(({ why, command }) => `  ${command}\n      ${why}`);
  serve.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
  serve.action(async () => {
    const given = serve.opts();
    const input: Record<string, unknown> = { ...(await serverDefaults()) };
    for (const { field, option } of fields) {
      const value = valueOfOption(option, given);
      if (value !== undefined) input[field] = value;
    }
    const parsed = serverOptionsSchema.safeParse(input);
    if (!parsed.success) {
      const faults = parsed.error.issues.map((issue) => {
        const field = String(issue.path[0] ?? '');
        return `${flagOf(field, properties[field] ?? {})}: ${describeFault(issue)}`;
      });
      throw new PyroError('usage', faults.join('; '), { hint: 'pyro mcp serve --help shows the options' });
    }
    onExit(await servers.mcp(parsed.data, signal));
  });
}
