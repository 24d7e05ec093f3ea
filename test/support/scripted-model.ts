// A model on loopback that follows a script: it answers as the APIs of the three hosts do, and remembers what it was shown.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { z } from 'zod';

export interface Step {
  /** Tool as the server names it */
  readonly tool: string;
  /** `{{workspace_id}}` stands for the id of the workspace that the first step made */
  readonly input: Readonly<Record<string, unknown>>;
}

/** How a host names the tools of the server. */
export type ToolNaming = (tool: string) => { readonly name: string; readonly namespace?: string };

export interface ScriptedModel extends AsyncDisposable {
  readonly url: string;
  /** What came back for each step, as the model sees it */
  readonly results: readonly string[];
  /** Names of the tools that the host offered with the first request */
  readonly offered: readonly string[];
}

type Action = { readonly step: Step } | { readonly text: string };

const toolsSchema = z.array(
  z.looseObject({
    name: z.string().optional(),
    function: z.looseObject({ name: z.string() }).optional(),
    tools: z.unknown().optional(),
  }),
);
const blockSchema = z.looseObject({ type: z.string().optional(), content: z.unknown().optional() });
const bodySchema = z.looseObject({
  stream: z.boolean().optional(),
  tools: toolsSchema.default([]),
  messages: z.array(z.looseObject({ role: z.string().optional(), content: z.unknown().optional() })).default([]),
  input: z
    .array(z.looseObject({ type: z.string().optional(), output: z.unknown().optional() }))
    .catch([])
    .default([]),
});
type Body = z.infer<typeof bodySchema>;

export async function startModel(steps: readonly Step[], naming: ToolNaming): Promise<ScriptedModel> {
  const offered: string[] = [];
  const results: string[] = [];
  let workspaceId = '';

  const next = (body: Body): Action => {
    const seen = resultsIn(body);
    results.splice(0, results.length, ...seen);
    workspaceId ||= /\b[0-9a-f]{12}\b/.exec(seen[0] ?? '')?.[0] ?? '';
    const step = steps[seen.length];
    if (step === undefined) return { text: 'the script is done' };
    return { step: { tool: step.tool, input: fill(step.input, workspaceId) } };
  };

  const server = createServer((request, response) => {
    void answer(request, response).catch((error: unknown) =>
      response.destroy(error instanceof Error ? error : undefined),
    );
  });
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    const text = await readAll(request);
    const speak = Object.entries(dialects).find(([ending]) => path.endsWith(ending))?.[1];
    if (speak === undefined || request.method !== 'POST') {
      response.writeHead(path.endsWith('/models') ? 200 : 404, { 'content-type': 'application/json' });
      response.end('{"object":"list","data":[],"models":[]}');
      return;
    }
    const body = bodySchema.parse(JSON.parse(text));
    const names = namesIn(body);
    // Titles and summaries are asked for without tools: they are no steps of the turn.
    const isTurn = names.length > 0;
    if (isTurn && offered.length === 0) offered.push(...names);
    speak(response, isTurn ? next(body) : { text: 'a title' }, naming, body.stream === true);
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the model has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    results,
    offered,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function readAll(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

function namesIn({ tools }: Body): string[] {
  return tools.flatMap((tool) => {
    const nested = toolsSchema.safeParse(tool.tools).data ?? [];
    const own = tool.name ?? tool.function?.name;
    return [
      ...(own === undefined ? [] : [own]),
      ...nested.flatMap(({ name }) => (name === undefined ? [] : [`${own}.${name}`])),
    ];
  });
}

/** Results of tools in the whole conversation, oldest first, whatever the API calls them. */
function resultsIn({ messages, input }: Body): string[] {
  const ofMessages = messages.flatMap(({ role, content }) => {
    if (role === 'tool') return [textOf(content)];
    const blocks = z.array(blockSchema).safeParse(content).data ?? [];
    return blocks.filter(({ type }) => type === 'tool_result').map((block) => textOf(block.content));
  });
  const ofInput = input.filter(({ type }) => type === 'function_call_output').map(({ output }) => textOf(output));
  return [...ofMessages, ...ofInput];
}

function textOf(content: unknown): string {
  return typeof content === 'string' ? content : JSON.stringify(content);
}

function fill(input: Step['input'], workspaceId: string): Record<string, unknown> {
  const filled = JSON.stringify(input).replaceAll('{{workspace_id}}', workspaceId);
  return z.record(z.string(), z.unknown()).parse(JSON.parse(filled));
}

type Speak = (response: ServerResponse, action: Action, naming: ToolNaming, isStream: boolean) => void;

let lastId = 0;
function newId(prefix: string): string {
  lastId++;
  return `${prefix}_${lastId}`;
}

const dialects: Readonly<Record<string, Speak>> = {
  '/messages': (response, action, naming, isStream) => {
    const isTool = 'step' in action;
    const block = isTool
      ? { type: 'tool_use', id: newId('toolu'), name: naming(action.step.tool).name, input: action.step.input }
      : { type: 'text', text: action.text };
    const reason = isTool ? 'tool_use' : 'end_turn';
    const usage = { input_tokens: 1, output_tokens: 1 };
    const message = {
      id: newId('msg'),
      type: 'message',
      role: 'assistant',
      model: 'scripted',
      stop_sequence: null,
      usage,
    };
    if (!isStream) return sendJson(response, { ...message, content: [block], stop_reason: reason });
    const start = isTool ? { ...block, input: {} } : { type: 'text', text: '' };
    const delta = isTool
      ? { type: 'input_json_delta', partial_json: JSON.stringify(action.step.input) }
      : { type: 'text_delta', text: action.text };
    sendEvents(response, [
      { type: 'message_start', message: { ...message, content: [], stop_reason: null } },
      { type: 'content_block_start', index: 0, content_block: start },
      { type: 'content_block_delta', index: 0, delta },
      { type: 'content_block_stop', index: 0 },
      { type: 'message_delta', delta: { stop_reason: reason, stop_sequence: null }, usage },
      { type: 'message_stop' },
    ]);
  },
  '/responses': (response, action, naming) => {
    const item =
      'step' in action
        ? {
            type: 'function_call',
            id: newId('fc'),
            call_id: newId('call'),
            ...naming(action.step.tool),
            arguments: JSON.stringify(action.step.input),
          }
        : {
            type: 'message',
            id: newId('msg'),
            role: 'assistant',
            content: [{ type: 'output_text', text: action.text }],
          };
    const id = newId('resp');
    const usage = { input_tokens: 1, output_tokens: 1, total_tokens: 2 };
    sendEvents(response, [
      { type: 'response.created', response: { id, status: 'in_progress' } },
      { type: 'response.output_item.added', output_index: 0, item },
      { type: 'response.output_item.done', output_index: 0, item },
      { type: 'response.completed', response: { id, status: 'completed', output: [item], usage } },
    ]);
  },
  '/chat/completions': (response, action, naming, isStream) => {
    const isTool = 'step' in action;
    const call = isTool
      ? [
          {
            index: 0,
            id: newId('call'),
            type: 'function',
            function: { name: naming(action.step.tool).name, arguments: JSON.stringify(action.step.input) },
          },
        ]
      : undefined;
    const message = { role: 'assistant', ...(isTool ? { tool_calls: call } : { content: action.text }) };
    const reason = isTool ? 'tool_calls' : 'stop';
    const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
    const base = { id: newId('chat'), created: 1, model: 'scripted' };
    if (!isStream) {
      return sendJson(response, {
        ...base,
        object: 'chat.completion',
        choices: [{ index: 0, message, finish_reason: reason }],
        usage,
      });
    }
    const chunk = { ...base, object: 'chat.completion.chunk' };
    const lines = [
      { ...chunk, choices: [{ index: 0, delta: message, finish_reason: null }] },
      { ...chunk, choices: [{ index: 0, delta: {}, finish_reason: reason }], usage },
    ].map((each) => `data: ${JSON.stringify(each)}\n\n`);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(`${lines.join('')}data: [DONE]\n\n`);
  },
};

function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
}

function sendEvents(response: ServerResponse, events: readonly Readonly<Record<string, unknown>>[]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.end(events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join(''));
}
