// What a guest sends on its channel: frames of processes, changes, comparisons, archives and single answers.
import { ok as holds, deepStrictEqual as same } from 'node:assert';
import { parseAnswer } from '../../src/agent/answers.ts';
import { decodeChanges } from '../../src/agent/changes-decoder.ts';
import { fileEntrySchema, listingSchema, writeAnswerSchema } from '../../src/agent/file-messages.ts';
import { FrameDecoder } from '../../src/agent/frames.ts';
import { decodeComparison } from '../../src/agent/guest-trees.ts';
import * as messages from '../../src/agent/messages.ts';
import { refusal } from '../../src/agent/refusals.ts';
import { checkedEntries } from '../../src/changes/export-entries.ts';
import { isPyroError } from '../../src/shared/errors.ts';
import {
  changeStreams,
  comparisons,
  frameStreams,
  guestAnswers,
  layers,
  withChecksum,
  withLengths,
} from '../examples.ts';
import { asJson, piecesOf, type Target, tolerate } from '../target.ts';

/** What a reader gives, or the code of what it throws: the same however the input is cut. */
async function outcome(read: () => Promise<unknown[]>): Promise<unknown> {
  try {
    return await read();
  } catch (error) {
    if (isPyroError(error) && error.code !== 'internal') return { code: error.code, message: error.message };
    throw error;
  }
}

async function* later(pieces: Iterable<Buffer>): AsyncGenerator<Buffer> {
  yield* pieces;
}

function readFrames(pieces: Iterable<Buffer>): unknown[] {
  const decoder = new FrameDecoder();
  const seen: unknown[] = [];
  for (const piece of pieces) for (const frame of decoder.push(piece)) seen.push(frame);
  return [...seen, decoder.isAtBoundary];
}

export const frames: Target = {
  examples: frameStreams,
  words: ['"event":"exit"', '"event":"gap"', '"exit_code":', '"stream":"stdout"', '"timed_out":true'],
  mend: withLengths,
  run: async (input) => {
    same(await outcome(async () => readFrames(piecesOf(input))), await outcome(async () => readFrames([input])));
  },
};

async function readChanges(pieces: Iterable<Buffer>, hasContent: boolean): Promise<unknown[]> {
  const seen: unknown[] = [];
  for await (const change of decodeChanges(later(pieces), hasContent)) {
    const parts = change.path.toString('latin1').split('/');
    holds(!parts.some((part) => ['', '.', '..'].includes(part) || part.includes('\0')));
    let size = 0;
    for await (const chunk of change.contentAfter()) size += chunk.length;
    if (hasContent && change.after?.withheld !== true && size > 0) same(size, change.after?.size);
    seen.push([change.path, change.before, change.after, size, await change.isTorn?.()]);
  }
  return seen;
}

export const changes: Target = {
  examples: changeStreams,
  words: [
    '{"torn":false}',
    '{"records":1}',
    '"withheld":true',
    '"folded":{"files":1,"bytes":2}',
    '"type":"symlink"',
    'Li4=',
  ],
  mend: withLengths,
  run: async (input) => {
    const hasContent = ((input[0] ?? 0) & 0x80) === 0;
    const bytes = hasContent ? input : Buffer.concat([Buffer.from([1]), input.subarray(1)]);
    const whole = await outcome(() => readChanges([bytes], hasContent));
    same(await outcome(() => readChanges(piecesOf(bytes), hasContent)), whole);
  },
};

export const comparison: Target = {
  examples: comparisons,
  words: ['{"end":true}\n', '"different":[', '"extra":["YQ=="]', 'Li4='],
  run: async (input) => {
    const read = async (pieces: Iterable<Buffer>): Promise<unknown[]> => {
      const { different, extra } = await decodeComparison(later(pieces), 50);
      holds(different.every((index, at) => index < 50 && index > (different[at - 1] ?? -1)));
      holds(extra.every((path) => path.length > 0 && path[0] !== 0x2f && !path.includes(0)));
      return [different, extra];
    };
    same(await outcome(() => read(piecesOf(input))), await outcome(() => read([input])));
  },
};

const schemas = [
  messages.resumeAnswerSchema,
  messages.processListSchema,
  messages.probeAnswerSchema,
  messages.statusAnswerSchema,
  messages.inputAnswerSchema,
  messages.eventSchema,
  fileEntrySchema,
  listingSchema,
  writeAnswerSchema,
];

export const answers: Target = {
  examples: guestAnswers,
  words: ['"code":"file_missing"', '"message":', '"processes":[', '"entries":[', '"next_cursor":', '1e999'],
  run: (input) => {
    for (const schema of schemas) {
      const read = tolerate<unknown>(() => parseAnswer<unknown>(input, schema, '/v1/x'));
      // What was taken is taken again as it is written.
      if (read === undefined) continue;
      same(asJson(parseAnswer<unknown>(Buffer.from(JSON.stringify(read)), schema, '/v1/x')), asJson(read));
    }
    holds(isPyroError(refusal(400, input)) && !isPyroError(refusal(400, input), 'internal'));
  },
};

export const exported: Target = {
  examples: layers,
  words: ['.git/', '../', '/etc/passwd', './', '.GIT', 'ustar\u000000'],
  mend: withChecksum,
  run: async (input) => {
    const rules = {
      hasGit: false,
      tellsGit: true,
      room: { bytes: 1e9, files: 1000 },
      onSkipped: () => undefined,
      signal: new AbortController().signal,
    };
    const seen = new Set<string>();
    for await (const { parts, type, mode, linkParts, linkTarget, content } of checkedEntries(
      later(piecesOf(input)),
      rules,
    )) {
      for (const part of [...parts, ...linkParts]) {
        const text = part.toString('latin1');
        holds(text !== '' && text !== '.' && text !== '..' && !/[/\0]/.test(text) && part.length <= 255);
        holds(text.toLowerCase() !== '.git');
      }
      const path = parts.map((part) => part.toString('latin1')).join('/');
      holds(!seen.has(path) || type === 'directory');
      seen.add(path);
      holds((mode & ~0o777) === 0 && !linkTarget.includes(0));
      for await (const _ of content());
    }
  },
};
