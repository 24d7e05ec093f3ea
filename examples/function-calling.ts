// Gives a model the tools of pyro by function calling, as APIs in the style of OpenAI's chat completions have it.
//
//     MODEL_BASE_URL=… MODEL_NAME=… MODEL_API_KEY=… node examples/function-calling.ts TASK [-- SERVER COMMAND...]
//
// The tools are those that the server lists; it is `pyro mcp serve` unless another is given. Needs Node 24, nothing else.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

interface Tool {
  name: string;
  description: string;
  inputSchema: object;
}

interface ToolCall {
  id: string;
  function: { name: string; arguments: string };
}

interface Message {
  role: 'user' | 'assistant' | 'tool';
  content?: string | null;
  tool_calls?: ToolCall[];
  tool_call_id?: string;
}

const mostTurns = 100;

/** A server of tools as a child process: a line of JSON for each message, in both directions. */
class Server {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting = new Map<number, (line: string) => void>();
  #lastId = 0;

  constructor([file = '', ...args]: readonly string[]) {
    this.#process = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface(this.#process.stdout).on('line', (line) => this.#waiting.get(JSON.parse(line).id)?.(line));
    this.#process.once('close', () => {
      const error = { message: 'the server has ended' };
      for (const answer of this.#waiting.values()) answer(JSON.stringify({ error }));
    });
  }

  async tools(): Promise<Tool[]> {
    const clientInfo = { name: 'function-calling', version: '1' };
    await this.#request('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo });
    this.#send({ method: 'notifications/initialized' });
    return (await this.#request<{ tools: Tool[] }>('tools/list', {})).tools;
  }

  /** The text for the model. That of an error says what to do next, so it goes the same way. */
  async call({ name, arguments: text }: ToolCall['function']): Promise<string> {
    const params = { name, arguments: JSON.parse(text) };
    const { content } = await this.#request<{ content: { text: string }[] }>('tools/call', params);
    return content[0]?.text ?? '';
  }

  close(): void {
    this.#process.stdin.end();
  }

  async #request<T>(method: string, params: object): Promise<T> {
    const id = ++this.#lastId;
    return await new Promise((resolve, reject) => {
      this.#waiting.set(id, (line) => {
        this.#waiting.delete(id);
        const { result, error } = JSON.parse(line);
        if (error === undefined) resolve(result);
        else reject(new Error(error.message));
      });
      this.#send({ id, method, params });
    });
  }

  #send(message: object): void {
    this.#process.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  }
}

/** The model's next message. */
async function ask(messages: readonly Message[], tools: readonly Tool[]): Promise<Message> {
  const { MODEL_BASE_URL: url, MODEL_NAME: model, MODEL_API_KEY: key } = process.env;
  const functions = tools.map(({ name, description, inputSchema }) => ({
    type: 'function',
    function: { name, description, parameters: inputSchema },
  }));
  const response = await fetch(`${url}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({ model, messages, tools: functions }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`the model answered ${response.status}: ${text.slice(0, 500)}`);
  return JSON.parse(text).choices[0].message;
}

const words = process.argv.slice(2);
const at = words.indexOf('--');
const task = (at < 0 ? words : words.slice(0, at)).join(' ');
const server = new Server(at < 0 ? ['pyro', 'mcp', 'serve'] : words.slice(at + 1));
try {
  const tools = await server.tools();
  const messages: Message[] = [{ role: 'user', content: task }];
  for (let turn = 0; turn < mostTurns; turn++) {
    const message = await ask(messages, tools);
    messages.push(message);
    if (message.tool_calls === undefined) {
      console.log(message.content);
      break;
    }
    for (const { id, function: call } of message.tool_calls) {
      console.error(`${call.name} ${call.arguments}`);
      messages.push({ role: 'tool', tool_call_id: id, content: await server.call(call) });
    }
  }
} finally {
  server.close();
}
