// The two commands that are no operations, since they own this process until it ends: `mcp serve` and `daemon serve`.
import { parseArgs } from 'node:util';
import { config } from 'zod';
import { type ServerOptions, serverOptionsSchema } from '../shared/server-options.ts';
import { installInterrupts } from './interrupts.ts';
import { serverDefaults } from './server-defaults.ts';

/** What runs the servers; loaded by the executable when one of them is asked for. */
export interface Servers {
  readonly mcp: (options: ServerOptions, signal: AbortSignal) => Promise<number>;
  readonly daemon: (options: { readonly readyFd: number | undefined }, signal: AbortSignal) => Promise<number>;
}

/**
 * Runs one of the two and gives the exit code. Chat hosts start a server for a mere list of its tools, so a command line
 * without a fault is read without the command tree; the tree tells what is wrong with any other.
 */
export async function executeServer(argv: readonly string[], servers: Servers): Promise<number> {
  const options = argv[0] === 'mcp' && argv[1] === 'serve' ? await parsePlainly(argv.slice(2)) : undefined;
  // A front parses a few small messages: compiling its schemas first would cost more than it saves.
  if (argv[0] === 'mcp') config({ jitless: true });
  const { signal } = installInterrupts();
  if (options !== undefined) return await servers.mcp(options, signal);
  const { runServerProgram } = await import('./server-program.ts');
  return await runServerProgram(argv, servers, signal);
}

/** Undefined for help and for everything that is wrong. */
async function parsePlainly(argv: readonly string[]): Promise<ServerOptions | undefined> {
  const kinds = Object.entries(serverOptionsSchema.shape).map(([field, schema]) => {
    const example = schema.safeParse(undefined).data;
    const type: 'boolean' | 'string' = typeof example === 'boolean' ? 'boolean' : 'string';
    return { field, flag: field.replaceAll('_', '-'), type, multiple: Array.isArray(example) };
  });
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: Object.fromEntries(kinds.map(({ flag, type, multiple }) => [flag, { type, multiple }])),
    });
    const given = kinds.flatMap(({ field, flag }) => (values[flag] === undefined ? [] : [[field, values[flag]]]));
    return serverOptionsSchema.safeParse({ ...(await serverDefaults()), ...Object.fromEntries(given) }).data;
  } catch {
    // The command tree reads it again and says what is wrong.
    return undefined;
  }
}
