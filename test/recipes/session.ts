// A server as a chat host has it: the official client over stdio, each call with its time written down.
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { errorOf, openClient, type ServerCommand } from '../support/mcp.ts';
import type { RunRecord } from './run-record.ts';
import { shortResult } from './short-result.ts';

export type Structure = Readonly<Record<string, unknown>>;

export interface Session extends AsyncDisposable {
  readonly tools: readonly string[];
  readonly prompt: (name: string) => Promise<string>;
  readonly call: (tool: string, args: Structure) => Promise<Structure>;
  readonly refused: (tool: string, args: Structure) => Promise<string>;
  /** Names of the tools in the order in which they were called */
  readonly called: readonly string[];
}

type Answer =
  | { readonly isError: false; readonly structure: Structure; readonly text: string }
  | { readonly isError: true; readonly code: string; readonly text: string };

const callMs = 120_000;
/** An environment that has to be built first takes a minute; longer means that it does not come. */
const longestPreparationMs = 600_000;

const resultSchema = z.looseObject({
  isError: z.boolean().optional(),
  structuredContent: z.record(z.string(), z.unknown()).optional(),
  content: z.array(z.looseObject({ type: z.string(), text: z.string().optional() })),
});

export async function openSession(command: ServerCommand, record: RunRecord, signal: AbortSignal): Promise<Session> {
  const open = await openClient(command);
  const { client } = open;
  const called: string[] = [];
  /** Names of workspaces by their ids */
  const names = new Map<unknown, unknown>();
  // Also makes the client check each result against the schema that the server promises.
  const { tools } = await client.listTools();

  const answerOf = async (name: string, args: Structure): Promise<Answer> => {
    signal.throwIfAborted();
    const result = resultSchema.parse(
      await client.callTool({ name, arguments: { ...args } }, { timeout: callMs, signal }),
    );
    if (result.isError === true) {
      const { text, report } = errorOf(result);
      return { isError: true, code: report.code, text };
    }
    return { isError: false, structure: result.structuredContent ?? {}, text: result.content[0]?.text ?? '' };
  };

  /** An environment that is still on its way is waited for, as the hint of the error says. */
  const prepared = async (name: string, args: Structure): Promise<Answer> => {
    const until = Date.now() + longestPreparationMs;
    for (;;) {
      const answer = await answerOf(name, args);
      if (!answer.isError || answer.code !== 'environment_preparing' || Date.now() > until) return answer;
      await sleep(2000, undefined, { signal });
    }
  };

  const attempt = async (name: string, args: Structure): Promise<Answer> => {
    called.push(name);
    const { workspace_id: id, ...shown } = args;
    // With a single one it is plain which is meant.
    const which = names.size > 1 && names.has(id) ? `${names.get(id)} ` : '';
    const end = record.begin(name, `${which}${JSON.stringify(shown)}`);
    try {
      const answer = await prepared(name, args);
      if (name === 'workspace_create' && !answer.isError) names.set(answer.structure['workspace_id'], args['name']);
      end(answer.isError ? (answer.text.split('\n')[0] ?? '') : shortResult(name, answer.structure, answer.text));
      return answer;
    } catch (error) {
      end(error instanceof Error ? error.message : String(error));
      throw error;
    }
  };

  return {
    tools: tools.map(({ name }) => name),
    prompt: async (name) => {
      const { messages } = await client.getPrompt({ name });
      return messages.map(({ content }) => (content.type === 'text' ? content.text : '')).join('\n');
    },
    call: async (name, args) => {
      const answer = await attempt(name, args);
      if (answer.isError) throw new Error(`${name}: ${answer.text}`);
      return answer.structure;
    },
    refused: async (name, args) => {
      const answer = await attempt(name, args);
      if (!answer.isError) throw new Error(`${name} was not refused: ${answer.text}`);
      return answer.code;
    },
    called,
    [Symbol.asyncDispose]: () => open[Symbol.asyncDispose](),
  };
}
