// The host's session with an agent that sends what it likes: each call ends, with a value or an error of ours.
import { ok as holds } from 'node:assert';
import { duplexPair } from 'node:stream';
import { GuestClient } from '../../src/agent/guest-client.ts';
import { createGuestFiles } from '../../src/agent/guest-files.ts';
import { connectToGuest } from '../../src/agent/guest-network.ts';
import { changeStreams, comparisons, frameStreams, guestAnswers } from '../examples.ts';
import { record, serverBytes } from '../http2-bytes.ts';
import { type Target, tolerateLater } from '../target.ts';

const call = { timeoutMs: 500 };
const start = { argv: ['x'], env: {}, stdin: false, overflow: 'drop' as const };
const changed = { scope: 'workspace' as const, hasContent: true };

/** By the first byte of the input: which of the calls is made on the first stream. */
const calls: readonly ((client: GuestClient) => Promise<unknown>)[] = [
  (client) => client.status(call),
  (client) => client.processes(call),
  async (client) => await (await client.start(start, call)).follow(() => undefined),
  (client) => createGuestFiles(client).list({ path: '/', depth: 1, limit: 10 }, call),
  (client) => createGuestFiles(client).read({ path: '/x', length: 100 }, call),
  async (client) => {
    for await (const change of createGuestFiles(client).changes(changed, call))
      for await (const _ of change.contentAfter());
  },
  (client) => createGuestFiles(client).compare({ destination: '/', items: [] }, call),
  async (client) => {
    const connection = await connectToGuest(client, 80, call);
    connection.end('x');
    for await (const _ of connection);
  },
  async (client) => {
    for await (const _ of await createGuestFiles(client).pack({ path: '/' }, call));
  },
];

const head = record(50, 0, 0);
const piece = Buffer.concat([Buffer.from([0, 0, 0, 2]), Buffer.from('hi'), Buffer.alloc(4)]);

export const session: Target = {
  examples: [
    ...guestAnswers
      .slice(0, 2)
      .map((answer, index) => Buffer.concat([Buffer.from([index]), head, record(130, 1, 0, answer)])),
    ...frameStreams.map((bytes) => Buffer.concat([Buffer.from([2]), head, record(130, 1, 0, bytes)])),
    Buffer.concat([Buffer.from([3]), head, record(130, 1, 0, guestAnswers[5] ?? '')]),
    Buffer.concat([Buffer.from([4]), head, record(130, 1, 0, 'hello')]),
    ...changeStreams.map((bytes) => Buffer.concat([Buffer.from([5]), head, record(130, 1, 0, bytes)])),
    Buffer.concat([Buffer.from([6]), head, record(130, 1, 0, comparisons[1] ?? '')]),
    Buffer.concat([Buffer.from([7]), head, record(130, 1, 0, piece)]),
    Buffer.concat([
      Buffer.from([8]),
      record(50, 255, 0),
      record(130, 1, 0, guestAnswers[7] ?? ''),
      record(3, 0, 1, '\0\0\0\u0008'),
    ]),
    Buffer.concat([
      Buffer.from([0]),
      record(4, 0, 0, '\0\u0004\u007f\u00ff\u00ff\u00ff'),
      record(7, 0, 0, Buffer.alloc(8)),
    ]),
  ],
  run: async (input) => {
    const [ours, theirs] = duplexPair();
    theirs.on('error', () => undefined).resume();
    theirs.write(serverBytes(input.subarray(1)));
    const client = await GuestClient.over(Object.assign(ours, { bytesRead: 0 }));
    const making = tolerateLater(async () => await calls[(input[0] ?? 0) % calls.length]?.(client));
    // Once all is said the guest is gone: whoever still waits for it must hear of that.
    setImmediate(() => setImmediate(() => theirs.end()));
    await making;
    await client[Symbol.asyncDispose]();
    ours.destroy();
    theirs.destroy();
    holds(!client.isOpen);
  },
};
