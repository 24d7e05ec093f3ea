// `pyro mcp serve`: from its options to its end, by one path for a closed input, signals and a broken output.
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { invokeOperation } from '../daemon/client.ts';
import type { AnyOperation } from '../operations/define.ts';
import { systemCodeOf } from '../shared/errors.ts';
import type { ServerOptions } from '../shared/server-options.ts';
import { builtCatalogue } from './built-catalogue.ts';
import { createServer } from './server.ts';
import { type Invoke, openServerState } from './server-state.ts';
import { openWire } from './stdio.ts';

export interface McpParts {
  /** In place of all that there are */
  readonly operations?: readonly AnyOperation[];
  readonly invoke?: Invoke;
  readonly guardMs?: number;
}

/** Serves until the input is closed and answered, or a signal comes; workspaces live on. Gives the exit code. */
export async function serveMcp(
  options: ServerOptions,
  version: string,
  signal: AbortSignal,
  { operations: given, invoke = invokeOperation, ...parts }: McpParts = {},
): Promise<number> {
  const signalled = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => signalled.resolve(), { once: true });
  if (signal.aborted) signalled.resolve();
  const life = new AbortController();
  const operations = async (): Promise<readonly AnyOperation[]> =>
    given ?? (await import('../operations/index.ts')).operations;
  const catalogue = given === undefined ? builtCatalogue : undefined;
  const state = openServerState({
    options,
    version,
    catalogue: catalogue ?? (await import('./catalogue.ts')).factsOf(await operations()),
    operations,
    invoke,
    signal: life.signal,
    ...parts,
  });
  const wire = openWire(process.stdin, process.stdout);
  const handle = serveStdio(() => createServer(state), { transport: wire.transport });
  const fault = await Promise.race([signalled.promise, wire.whenAnswered, wire.whenBroken]);
  life.abort();
  await handle.close();
  // Whoever reads the answers has gone with its input, as a rule: that is not a failure.
  if (fault === undefined || process.stdout.writableEnded || systemCodeOf(fault) !== undefined) return 0;
  state.log.fault('wire_broken', fault);
  return 1;
}
