// What fronts and the daemon say to each other in a call with streams.
import { deepStrictEqual as same } from 'node:assert';
import { Duplex, Readable } from 'node:stream';
import { ZodError } from 'zod';
import { controlSchema, liveMessageSchema, openingSchema } from '../../src/contract/frames.ts';
import { parseMessage, readLiveFrames } from '../../src/daemon/live-frames.ts';
import { isPyroError } from '../../src/shared/errors.ts';
import { withLengths } from '../examples.ts';
import { piecesOf, type Target } from '../target.ts';

function frame(kind: number, content: string): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(kind);
  head.writeUInt32BE(Buffer.byteLength(content), 1);
  return Buffer.concat([head, Buffer.from(content)]);
}

async function read(pieces: Iterable<Buffer>): Promise<unknown> {
  const source = Readable.from(pieces, { objectMode: false });
  const seen: unknown[] = [];
  try {
    for await (const { kind, payload } of readLiveFrames(Duplex.from(source), Buffer.alloc(0), 4096))
      seen.push([kind, Buffer.from(payload)]);
  } catch (error) {
    if (!isPyroError(error, 'usage')) throw error;
    seen.push(error.message);
  }
  return seen;
}

export const liveFrames: Target = {
  examples: [
    Buffer.concat([frame(0, 'input'), frame(3, '{"end_of_input":true}'), frame(1, ''), frame(2, 'err')]),
    Buffer.concat([
      frame(3, '{"resize":{"cols":80,"rows":24}}'),
      frame(3, '{"credit":5}'),
      frame(3, '{"cancel":true}'),
    ]),
  ],
  words: ['{"signal":"INT"}', '{"started":{"followed_by":null}}', '{"output":{}}'],
  mend: withLengths,
  run: async (input) => {
    same(await read(piecesOf(input)), await read([input]));
    for (const schema of [openingSchema, controlSchema, liveMessageSchema]) {
      try {
        parseMessage<unknown>({ kind: 3, payload: input }, schema);
      } catch (error) {
        // Whoever reads it says in its own words that the other side speaks nonsense.
        if (!(error instanceof SyntaxError || error instanceof ZodError)) throw error;
      }
    }
  },
};
