// Two clients for MCP servers as processes: the official one, and raw lines as a host of revision 2025-06-18 sends them.
import type { ChildProcess } from 'node:child_process';
import { Client, type ClientOptions } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { z } from 'zod';
import type { FakeHome } from './fake.ts';

export interface OpenClient extends AsyncDisposable {
  readonly client: Client;
}

export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export async function openClient(
  { command, args, env, cwd }: ServerCommand,
  options: ClientOptions = {},
  prepare: (client: Client) => void = () => undefined,
): Promise<OpenClient> {
  const client = new Client({ name: 'test', version: '1.0.0' }, options);
  prepare(client);
  const transport = new StdioClientTransport({
    command,
    args: [...args],
    env: { ...env },
    stderr: 'pipe',
    ...(cwd === undefined ? {} : { cwd }),
  });
  await client.connect(transport);
  return { client, [Symbol.asyncDispose]: () => client.close() };
}

export function fakeServer(home: FakeHome, flags: readonly string[] = [], cwd?: string): ServerCommand {
  const { command, args } = home.command;
  return { command, args: [...args, 'mcp', 'serve', ...flags], env: home.env, ...(cwd === undefined ? {} : { cwd }) };
}

export interface RawMessage {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number; readonly message: string };
}

export interface RawClient {
  readonly send: (message: object) => void;
  /** The next message that fits, also one that has come already */
  readonly next: (fits: (message: RawMessage) => boolean) => Promise<RawMessage>;
  readonly request: (id: number, method: string, params?: object) => Promise<RawMessage>;
  readonly messages: readonly RawMessage[];
  /** Lines on standard output that are no JSON */
  readonly rubbish: readonly string[];
}

export function rawClient(child: ChildProcess): RawClient {
  const messages: RawMessage[] = [];
  const rubbish: string[] = [];
  let waiters: { fits: (message: RawMessage) => boolean; resolve: (message: RawMessage) => void }[] = [];
  let rest = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString('utf8')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      try {
        messages.push(JSON.parse(line));
      } catch {
        rubbish.push(line);
        continue;
      }
      const message = messages.at(-1) ?? {};
      for (const waiter of waiters.filter(({ fits }) => fits(message))) waiter.resolve(message);
      waiters = waiters.filter(({ fits }) => !fits(message));
    }
  });
  const send: RawClient['send'] = (message) => {
    child.stdin?.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  };
  const next: RawClient['next'] = async (fits) => {
    const found = messages.find(fits);
    return found ?? (await new Promise((resolve) => waiters.push({ fits, resolve })));
  };
  return {
    send,
    next,
    request: async (id, method, params = {}) => {
      send({ id, method, params });
      return await next((message) => message.id === id && message.method === undefined);
    },
    messages,
    rubbish,
  };
}

export async function handshake(client: RawClient, capabilities: object = {}): Promise<RawMessage> {
  const answer = await client.request(1, 'initialize', {
    protocolVersion: '2025-06-18',
    capabilities,
    clientInfo: { name: 'raw', version: '1.0.0' },
  });
  client.send({ method: 'notifications/initialized' });
  return answer;
}

/** What the fake operation with a seed gives back of its caller. */
export const seededSchema = z.looseObject({
  environment: z.string().nullable().default(null),
  seed_path: z.string().nullable().default(null),
  network_policy: z.string(),
  project: z.string().nullable().default(null),
  origin_kind: z.string().nullable().default(null),
  folders: z.array(z.string()).default([]),
  ceiling: z.string(),
  package_sources: z.string().default('none'),
  allow: z.array(z.string()).default([]),
  server_notes: z.array(z.string()).default([]),
});

const failureSchema = z.looseObject({
  isError: z.literal(true),
  content: z.tuple([z.object({ type: z.literal('text'), text: z.string() })]),
  _meta: z.looseObject({
    'pyro/error': z.looseObject({ code: z.string(), message: z.string(), hint: z.string().nullable() }),
  }),
});

/** A failed call: its only text, which is hardly longer than what it says, and what programs are given beside it. */
export function errorOf(result: unknown): {
  text: string;
  report: { code: string; message: string; hint: string | null };
} {
  const { content, _meta: meta } = failureSchema.parse(result);
  const [{ text }] = content;
  const report = meta['pyro/error'];
  const most = 1.2 * (report.message.length + (report.hint ?? '').length);
  if (text.length > most) throw new Error(`a refusal of ${text.length} characters, at most ${most}: ${text}`);
  return { text, report };
}
