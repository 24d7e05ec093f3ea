// The stream of changes: records from bytes that a guest sent, checked, and read without holding more than a frame.
import type { z } from 'zod';
import { Turns } from '../shared/turns.ts';
import { type ChangeHead, changeEndSchema, changeHeadSchema, changesEndSchema } from './file-messages.ts';
import type { Change, ChangeSide } from './file-types.ts';
import { brokenProtocol, relativePath } from './guest-bytes.ts';
import { guestErrorSchema } from './messages.ts';
import { toRefusal } from './refusals.ts';

const headerBytes = 5;
export const longestFrame = 65_536;
/** Most records of one stream */
export const mostRecords = 1_000_000;
const kinds = { head: 1, before: 2, after: 3, end: 4, all: 5, failure: 6 } as const;

interface RawFrame {
  readonly kind: number;
  readonly payload: Buffer;
}

/** Cuts a stream of changes into records. Throws the guest's refusal, or `guest_protocol`. */
export async function* decodeChanges(source: AsyncIterable<Buffer>, hasContent: boolean): AsyncGenerator<Change> {
  const frames = rawFrames(source);
  try {
    for (let records = 0; ; records++) {
      const frame = await nextFrame(frames);
      if (frame.kind === kinds.failure) throw toRefusal(parse(frame, guestErrorSchema));
      if (frame.kind === kinds.all) {
        if (parse(frame, changesEndSchema).records !== records) throw brokenProtocol('a wrong number of changes');
        if ((await frames.next()).done !== true) throw brokenProtocol('something after the last change');
        return;
      }
      if (frame.kind !== kinds.head) throw brokenProtocol(`a frame of kind ${frame.kind} where a change should begin`);
      if (records >= mostRecords) throw brokenProtocol(`more than ${mostRecords} changes`);
      const record = new ChangeRecord(frames, parse(frame, changeHeadSchema), hasContent);
      yield record.change;
      await record.finish();
    }
  } finally {
    await frames.return(undefined);
  }
}

/** One record while it is read: what is left of both sides. */
class ChangeRecord {
  readonly change: Change;
  readonly #frames: AsyncGenerator<RawFrame>;
  #beforeLeft: number;
  #afterLeft: number;
  #isTorn = false;
  #isFinished = false;

  constructor(frames: AsyncGenerator<RawFrame>, head: ChangeHead, hasContent: boolean) {
    this.#frames = frames;
    this.#beforeLeft = contentSize(head.before, hasContent);
    this.#afterLeft = contentSize(head.after, hasContent);
    this.change = {
      path: relativePath(head.path),
      before: head.before,
      after: head.after,
      folded: head.folded,
      contentBefore: () => this.#before(),
      contentAfter: () => this.#after(),
      isTorn: async () => {
        await this.finish();
        return this.#isTorn;
      },
    };
  }

  /** Reads over what nobody has read, and checks the end. */
  async finish(): Promise<void> {
    if (this.#isFinished) return;
    for await (const _ of this.#after());
    this.#isTorn = parse(await this.#next(kinds.end), changeEndSchema).torn;
    this.#isFinished = true;
  }

  async *#before(): AsyncGenerator<Buffer> {
    while (this.#beforeLeft > 0) {
      const bytes = await this.#content(kinds.before, this.#beforeLeft);
      this.#beforeLeft -= bytes.length;
      yield bytes;
    }
  }

  async *#after(): AsyncGenerator<Buffer> {
    for await (const _ of this.#before());
    while (this.#afterLeft > 0) {
      const bytes = await this.#content(kinds.after, this.#afterLeft);
      this.#afterLeft -= bytes.length;
      yield bytes;
    }
  }

  async #content(kind: number, left: number): Promise<Buffer> {
    const { payload } = await this.#next(kind);
    if (payload.length === 0 || payload.length > left)
      throw brokenProtocol('content whose length is not the announced one');
    return payload;
  }

  async #next(kind: number): Promise<RawFrame> {
    const frame = await nextFrame(this.#frames);
    if (frame.kind !== kind) throw brokenProtocol(`a frame of kind ${frame.kind} instead of ${kind}`);
    return frame;
  }
}

function contentSize(side: ChangeSide | undefined, hasContent: boolean): number {
  if (side === undefined) return 0;
  const isContent = side.type === 'file' || side.type === 'symlink';
  if (!isContent && side.size !== 0) throw brokenProtocol(`a ${side.type} with content`);
  return hasContent && side.withheld !== true ? side.size : 0;
}

async function nextFrame(frames: AsyncGenerator<RawFrame>): Promise<RawFrame> {
  const next = await frames.next();
  if (next.done === true) throw brokenProtocol('changes that are cut off');
  return next.value;
}

async function* rawFrames(source: AsyncIterable<Buffer>): AsyncGenerator<RawFrame> {
  let rest: Buffer = Buffer.alloc(0);
  const turns = new Turns();
  for await (const chunk of source) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= headerBytes) {
      const length = rest.readUInt32BE(1);
      if (length > longestFrame) throw brokenProtocol(`a frame of ${length} bytes`);
      const end = headerBytes + length;
      if (rest.length < end) break;
      const frame = { kind: rest.readUInt8(0), payload: rest.subarray(headerBytes, end) };
      rest = rest.subarray(end);
      yield frame;
      if (turns.isOver) await turns.next();
    }
  }
  if (rest.length > 0) throw brokenProtocol('changes that are cut off inside a frame');
}

function parse<T>({ payload }: RawFrame, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(payload.toString('utf8')));
  } catch (cause) {
    throw brokenProtocol('a change that does not parse', cause);
  }
}
