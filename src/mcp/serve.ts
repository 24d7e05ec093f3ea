// `pyro mcp serve`: from its options to its end, by one path for a closed input, signals and a broken output.
import { setTimeout as sleep } from 'node:timers/promises';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { invokeOperation } from '../daemon/client.ts';
import type { AnyOperation } from '../operations/define.ts';
import type { ServerOptions } from '../shared/server-options.ts';
import { builtCatalogue } from './built-catalogue.ts';
import { type Invoke, openHouse } from './house.ts';
import { createServer } from './server.ts';

/** For requests that came before the input was closed: answers that need no guest are out by then. */
const lastAnswersMs = 100;

export interface McpParts {
  /** In place of all that there are */
  readonly operations?: readonly AnyOperation[];
  readonly invoke?: Invoke;
  readonly guardMs?: number;
}

/** Serves until the input is closed or a signal comes; workspaces live on. Gives the exit code. */
export async function serveMcp(
  options: ServerOptions,
  version: string,
  signal: AbortSignal,
  { operations: given, invoke = invokeOperation, ...parts }: McpParts = {},
): Promise<number> {
  const ended = Promise.withResolvers<'closed' | 'signal'>();
  signal.addEventListener('abort', () => ended.resolve('signal'), { once: true });
  process.stdin.once('end', () => ended.resolve('closed'));
  process.stdin.once('close', () => ended.resolve('closed'));
  process.stdout.once('error', () => ended.resolve('signal'));
  const life = new AbortController();
  const operations = async (): Promise<readonly AnyOperation[]> =>
    given ?? (await import('../operations/index.ts')).operations;
  const catalogue = given === undefined ? builtCatalogue : undefined;
  const house = openHouse({
    options,
    version,
    catalogue: catalogue ?? (await import('./catalogue.ts')).factsOf(await operations()),
    operations,
    invoke,
    signal: life.signal,
    ...parts,
  });
  const handle = serveStdio(() => createServer(house));
  const reason = signal.aborted ? 'signal' : await ended.promise;
  if (reason === 'closed') await sleep(lastAnswersMs);
  life.abort();
  await handle.close();
  return 0;
}
