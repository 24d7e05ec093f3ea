// Tests of the one cut of long output: what is shown is whole characters, what is left out is counted, each byte is copied once.
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { CommandLog } from '../../../../src/engine/commands/command-log.ts';
import { showOutput } from '../../../../src/engine/commands/command-output.ts';
import { newCaptures, streamsOf } from '../../../../src/engine/output/capture.ts';
import { joinEnds } from '../../../../src/engine/output/head-and-tail.ts';
import { beyondPage, wholePage } from '../../../../src/engine/output/text.ts';

/** Characters of one, two, three and four bytes: every cut of it at some place divides one */
const text = 'aä€😀'.repeat(6);
const bytes = Buffer.from(text);
const limits = Array.from({ length: bytes.length + 2 }, (_, limit) => limit);

/** The text that is shown is the beginning, the note and the end, and the note counts what lies between. */
function expectEnds(shown: string, whole: string, limit: number): void {
  const [, head = '', leftOut, tail = ''] = /^(.*)\n\[… (\d+) bytes left out[^…]*…\]\n(.*)$/su.exec(shown) ?? [];
  expect(whole.startsWith(head)).toBe(true);
  expect(whole.endsWith(tail)).toBe(true);
  const shownBytes = Buffer.byteLength(head) + Buffer.byteLength(tail);
  expect(shownBytes + Number(leftOut)).toBe(Buffer.byteLength(whole));
  expect(shownBytes).toBeLessThanOrEqual(limit);
  expect(shownBytes).toBeGreaterThan(limit - 8);
}

function capture(limit: number, pieces: readonly Buffer[]) {
  const captures = newCaptures(limit);
  for (const piece of pieces) captures.stdout.add(piece);
  return streamsOf(captures);
}

describe('a capture', () => {
  afterEach(() => vi.restoreAllMocks());

  it.each(limits)('of %i bytes is text', (limit) => {
    const got = capture(limit, [bytes]);
    expect(got).toMatchObject({ is_utf8: true, stdout_truncated: limit < bytes.length, stderr_truncated: false });
    if (limit < bytes.length) expectEnds(got.stdout, text, limit);
    else expect(got.stdout).toBe(text);
  });

  it('is the same however the output came in pieces', () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 12 });
    fc.assert(
      fc.property(pieces, fc.nat({ max: 60 }), (parts, limit) => {
        const buffers = parts.map((part) => Buffer.from(part));
        expect(capture(limit, buffers)).toEqual(capture(limit, [Buffer.concat(buffers)]));
      }),
    );
  });

  it('tells bytes that are no text, and does not take a replacement sign for some', () => {
    expect(capture(100, [Buffer.from([0x61, 0xff])]).is_utf8).toBe(false);
    expect(capture(100, [Buffer.from('\ufffd')]).is_utf8).toBe(true);
    expect(capture(100, [Buffer.from('€').subarray(0, 2)]).is_utf8).toBe(false);
  });

  it('copies each byte about once, in whatever pieces it comes', () => {
    const [concat, copy] = [Buffer.concat, Buffer.prototype.copy];
    let copied = 0;
    vi.spyOn(Buffer, 'concat').mockImplementation((list) => {
      const joined = concat(list);
      copied += joined.length;
      return joined;
    });
    vi.spyOn(Buffer.prototype, 'copy').mockImplementation(function (this: Buffer, ...args) {
      const count = copy.apply(this, args);
      copied += count;
      return count;
    });
    const piece = Buffer.alloc(64, 0x61);
    const [limit, size] = [32_768, 16_384 * piece.length];
    const { stdout } = capture(
      limit,
      Array.from({ length: size / piece.length }, () => piece),
    );
    expect(stdout).toMatch(/bytes left out/);
    // What grows with the output, and what is bounded by the limit.
    expect(copied).toBeLessThan(size + 4 * limit);
  });
});

describe('the output of a command', () => {
  async function logOf(output: Buffer): Promise<CommandLog> {
    const folder = mkdtempSync(join(tmpdir(), 'pyro-cut-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const log = await CommandLog.open(folder);
    const { sequence } = await log.begin('true', '/', undefined);
    appendFileSync(log.path(sequence, 'stdout'), output);
    return log;
  }

  it('is text wherever it is cut, and names the place where the rest begins', async () => {
    const log = await logOf(bytes);
    for (const limit of limits) {
      const shown = await showOutput(log, 1, limit, true);
      expect(shown).toMatchObject({ is_utf8: true, truncated: limit < bytes.length, stdout_bytes: bytes.length });
      if (limit >= bytes.length) expect(shown.stdout).toBe(text);
      else {
        expectEnds(shown.stdout, text, limit);
        const cursor = Number(/cursor=(\d+)/.exec(shown.stdout)?.[1]);
        expect(bytes.subarray(0, cursor).toString()).toBe(shown.stdout.split('\n')[0]);
      }
    }
  });

  it('is text while a character is half written, and no text when it stays so', async () => {
    const log = await logOf(bytes.subarray(0, bytes.length - 1));
    for (const limit of [20, 200]) {
      expect((await showOutput(log, 1, limit, false)).is_utf8).toBe(true);
      expect((await showOutput(log, 1, limit, true)).is_utf8).toBe(false);
    }
  });
});

describe('pages', () => {
  it.each(limits.slice(1))('of at most %i bytes are whole characters, and together the whole', (limit) => {
    let together = '';
    for (let at = 0; at < bytes.length; ) {
      const read = bytes.subarray(at, at + limit + beyondPage);
      const page = wholePage(read, limit, at + read.length >= bytes.length);
      expect(page.length).toBeGreaterThan(0);
      expect(page.length).toBeLessThanOrEqual(Math.max(limit, 4));
      expect(page.toString()).not.toContain('\ufffd');
      together += page.toString();
      at += page.length;
    }
    expect(together).toBe(text);
  });

  it('give what is no text as it is', () => {
    const junk = Buffer.from([0x80, 0x81, 0x82, 0x83, 0x84]);
    expect(wholePage(junk, 2, false)).toEqual(junk.subarray(0, 2));
    expect(wholePage(Buffer.from([0xe2, 0x82]), 100, true)).toHaveLength(2);
    expect(wholePage(Buffer.alloc(0), 100, false)).toHaveLength(0);
  });
});

describe('two ends', () => {
  const note = (leftOut: number, offset: number): string => `${leftOut} from ${offset}`;

  it('that are all there is are one text', () => {
    const ends = { head: Buffer.from('ab\u20ac').subarray(0, 3), tail: Buffer.from('\u20accd').subarray(1), size: 7 };
    expect(joinEnds({ ...ends, isOver: true }, note)).toMatchObject({ text: 'ab\u20accd', isUtf8: true });
  });

  it.each([3, 9])('of %i bytes that begin in the middle of a character are no text', (size) => {
    const ends = { head: Buffer.from([0x82, 0x61]), tail: Buffer.from('b'), size, isOver: true };
    expect(joinEnds(ends, note).isUtf8).toBe(false);
  });
});
