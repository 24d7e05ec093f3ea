// The two commands that are no operations, since they own this process until it ends: `mcp serve` and `daemon serve`.
import { type Command, Option } from 'commander';
import { PyroError } from '../shared/errors.ts';
import { type ServerOptions, serverExamples, serverOptionsSchema } from '../shared/server-options.ts';
import { optionOf, parseNumber, shapeOf, valueOfOption } from './options.ts';

/** What runs the servers; loaded by the executable when one of them is asked for. */
export interface Servers {
  readonly mcp: (options: ServerOptions, signal: AbortSignal) => Promise<number>;
  readonly daemon: (options: { readonly readyFd: number | undefined }, signal: AbortSignal) => Promise<number>;
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
      'Serve workspaces to a chat host over MCP, on standard input and output.\nA chat host starts it by itself. The project comes from --project-path or --repo-url, else from the roots that the host names, else from CLAUDE_PROJECT_DIR, else from the Git checkout of the working directory.',
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
    const input: Record<string, unknown> = {};
    for (const { field, option } of fields) {
      const value = valueOfOption(option, given);
      if (value !== undefined) input[field] = value;
    }
    const parsed = serverOptionsSchema.safeParse(input);
    if (!parsed.success) {
      const faults = parsed.error.issues.map(({ path, message }) => [...path.map(String), message].join(': '));
      throw new PyroError('usage', faults.join('; '), { hint: 'pyro mcp serve --help shows the options' });
    }
    onExit(await servers.mcp(parsed.data, signal));
  });
}
