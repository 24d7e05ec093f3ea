// A chat host's side of one MCP server: the official client over stdio, each call written down with its time and its end.
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { z } from 'zod';
import { killNow } from '../support/kill.ts';
import type { ServerCommand } from '../support/mcp.ts';
import type { Journal } from './journal.ts';

export type Structure = Readonly<Record<string, unknown>>;

/** Longer than any call may take; the rules say how long that is, `ms` */
const givenUpMs = 180_000;

const resultSchema = z.looseObject({
  isError: z.boolean().optional(),
  structuredContent: z.record(z.string(), z.unknown()).optional(),
  _meta: z
    .looseObject({ 'pyro/error': z.looseObject({ code: z.string(), message: z.string() }).optional() })
    .optional(),
});

export class ToolFailure extends Error {
  readonly code: string;

  constructor(tool: string, code: string, words: string) {
    super(`${tool}: ${code}: ${words}`);
    this.code = code;
  }
}

export interface CallOptions {
  /** The name under which it is written down; that of the tool without one */
  readonly name?: string;
  readonly signal?: AbortSignal;
}

export class ToolClient implements AsyncDisposable {
  readonly name: string;
  readonly #isHostile: boolean;
  readonly #server: ServerCommand;
  readonly #journal: Journal;
  #client: Client;
  #pid: number | null = null;

  private constructor(name: string, isHostile: boolean, server: ServerCommand, journal: Journal) {
    this.name = name;
    this.#isHostile = isHostile;
    this.#server = server;
    this.#journal = journal;
    this.#client = new Client({ name: 'soak', version: '1.0.0' });
  }

  static async open(name: string, isHostile: boolean, server: ServerCommand, journal: Journal): Promise<ToolClient> {
    const opened = new ToolClient(name, isHostile, server, journal);
    await opened.#connect();
    return opened;
  }

  /** Gives the structure of the result. Throws {@link ToolFailure} for a call that was answered with an error, or not at all. */
  async call(tool: string, args: Structure, { name = tool, signal }: CallOptions = {}): Promise<Structure> {
    const atMs = this.#journal.nowMs();
    const write = (code?: string, words?: string): void => {
      const ms = this.#journal.nowMs() - atMs;
      const error = code === undefined ? {} : { code, words: words ?? '' };
      this.#journal.note({ atMs, client: this.name, isHostile: this.#isHostile, name, ms, ...error });
    };
    const options = { timeout: givenUpMs, ...(signal === undefined ? {} : { signal }) };
    let answer: unknown;
    try {
      answer = await this.#client.callTool({ name: tool, arguments: { ...args } }, options);
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      const code = signal?.aborted === true ? 'cancelled' : 'unanswered';
      write(code, words);
      throw new ToolFailure(tool, code, words);
    }
    const { isError, structuredContent, _meta: meta } = resultSchema.parse(answer);
    if (isError !== true) {
      write();
      return structuredContent ?? {};
    }
    const report = meta?.['pyro/error'];
    write(report?.code ?? 'unnamed', report?.message);
    throw new ToolFailure(tool, report?.code ?? 'unnamed', report?.message ?? JSON.stringify(answer));
  }

  /** The server is killed as it stands, with what it has under way; another one takes its place. */
  async crash(): Promise<void> {
    killNow(this.#pid);
    await this.#client.close();
    this.#client = new Client({ name: 'soak', version: '1.0.0' });
    await this.#connect();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
  }

  async #connect(): Promise<void> {
    const { command, args, env, cwd } = this.#server;
    const transport = new StdioClientTransport({
      command,
      args: [...args],
      env: { ...env },
      stderr: 'ignore',
      ...(cwd === undefined ? {} : { cwd }),
    });
    await this.#client.connect(transport);
    this.#pid = transport.pid;
    // From then on the client holds each result against the schema that the server promises.
    await this.#client.listTools();
  }
}
