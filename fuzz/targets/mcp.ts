// What a chat host sends: lines of JSON, however they are cut; each request gets one answer.
import { ok as holds, deepStrictEqual as same, strictEqual } from 'node:assert';
import { PassThrough, Writable } from 'node:stream';
import type { JSONRPCMessage } from '@modelcontextprotocol/server';
import { LineCutter, type MessageLine } from '../../src/mcp/message-lines.ts';
import { readMessage } from '../../src/mcp/read-message.ts';
import { openWire } from '../../src/mcp/stdio.ts';
import { asJson, piecesOf, type Target } from '../target.ts';

const longest = 4096;
const codes = [-32700, -32600, -32000];

function linesOf(pieces: Iterable<Buffer>): MessageLine[] {
  const cutter = new LineCutter(longest);
  const lines: MessageLine[] = [];
  for (const piece of pieces) lines.push(...cutter.push(piece));
  const last = cutter.end();
  return last === undefined ? lines : [...lines, last];
}

/** A wire whose server answers each request at once. */
async function exchange(input: Buffer): Promise<{ readonly asked: number; readonly answers: readonly string[] }> {
  const [source, answers] = [new PassThrough(), [] as string[]];
  let text = '';
  const sink = new Writable({
    write: (chunk, _encoding, done) => {
      text += String(chunk);
      done();
    },
  });
  const { transport, whenAnswered } = openWire(source, sink);
  let asked = 0;
  transport.onmessage = (message: JSONRPCMessage) => {
    if (!('method' in message) || !('id' in message)) return;
    if (message.method !== 'subscriptions/listen') asked++;
    void transport.send({ jsonrpc: '2.0', id: message.id, result: {} });
  };
  await transport.start();
  for (const piece of piecesOf(input)) source.write(piece);
  source.end();
  await whenAnswered;
  await new Promise((resolve) => setImmediate(resolve));
  await transport.close();
  answers.push(...text.split('\n').slice(0, -1));
  return { asked, answers };
}

export const mcpLines: Target = {
  examples: [
    '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{}}}\n{"jsonrpc":"2.0","method":"notifications/initialized"}\n',
    '{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"workspace_list","arguments":{}}}\n',
    '{"jsonrpc":"2.0","id":2,"result":{}}\r\n[{"jsonrpc":"2.0","id":3,"method":"ping"}]\n{"id":7}\n\n\ufeff{"jsonrpc":"2.0","id":4,"method":"ping"}',
    `{"id":9,"jsonrpc":"2.0","method":"x","params":{"a":"${'x'.repeat(4200)}"}}\n`,
    '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}\n',
  ].map((text) => Buffer.from(text)),
  words: [
    '{"jsonrpc":"2.0","id":5,"method":"ping"}\n',
    '"id":',
    '"id":null',
    '"method":',
    '"error":{"code":1,"message":""}',
    '[[[[',
    '{"a":',
    '\n',
  ],
  run: async (input) => {
    const whole = linesOf([input]);
    same(linesOf(piecesOf(input)), whole);
    let refusals = 0;
    for (const line of whole) {
      const read = readMessage(line, longest);
      if (read === undefined) continue;
      if ('code' in read) {
        refusals++;
        holds(codes.includes(read.code) && read.message.length < 400);
        JSON.stringify(read);
        continue;
      }
      same(readMessage({ bytes: Buffer.from(JSON.stringify(read)) }, longest), asJson(read));
    }
    holds(refusals <= whole.length);
    const { asked, answers } = await exchange(input);
    let results = 0;
    for (const answer of answers) {
      const parsed: { result?: unknown; error?: { code: number } } = JSON.parse(answer);
      if (parsed.error === undefined) results++;
      else holds(codes.includes(parsed.error.code));
    }
    holds(results >= asked, 'a request without an answer');
    strictEqual(answers.length <= whole.length, true, 'more answers than lines');
  },
};
