// Frames from any cut of the bytes, and refusal of anything that is none.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameDecoder, longestFrame } from '../../../src/agent/frames.ts';

function frame(kind: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt8(kind, 0);
  header.writeUInt32BE(payload.length, 1);
  return Buffer.concat([header, payload]);
}

describe('FrameDecoder', () => {
  it('gives the same frames however the bytes are cut', () => {
    const payloads = fc.array(fc.tuple(fc.constantFrom(1, 2), fc.uint8Array({ maxLength: 300 })), { maxLength: 20 });
    fc.assert(
      fc.property(
        payloads,
        fc.array(fc.integer({ min: 1, max: 97 }), { minLength: 1, maxLength: 50 }),
        (frames, cuts) => {
          const bytes = Buffer.concat(frames.map(([kind, data]) => frame(kind, Buffer.from(data))));
          const decoder = new FrameDecoder();
          const seen: [number, string][] = [];
          for (let at = 0, turn = 0; at < bytes.length; turn++) {
            const size = cuts[turn % cuts.length] ?? 1;
            for (const each of decoder.push(bytes.subarray(at, at + size))) {
              if (each.kind !== 'event') seen.push([each.kind === 'stdout' ? 1 : 2, each.bytes.toString('hex')]);
            }
            at += size;
          }
          expect(seen).toEqual(frames.map(([kind, data]) => [kind, Buffer.from(data).toString('hex')]));
          expect(decoder.isAtBoundary).toBe(true);
        },
      ),
    );
  });

  it('refuses a length that a guest must not choose', () => {
    const header = Buffer.alloc(5);
    header.writeUInt8(1, 0);
    header.writeUInt32BE(longestFrame + 1, 1);
    expect(() => [...new FrameDecoder().push(header)]).toThrowError(
      expect.objectContaining({ code: 'guest_protocol' }),
    );
  });

  it.each([
    ['an unknown kind', frame(9, Buffer.from('x'))],
    ['an event that is no JSON', frame(3, Buffer.from('{'))],
    ['an event with an exit code out of range', frame(3, Buffer.from('{"event":"exit","exit_code":999}'))],
  ])('refuses %s', (_name, bytes) => {
    expect(() => [...new FrameDecoder().push(bytes)]).toThrowError(expect.objectContaining({ code: 'guest_protocol' }));
  });

  it('throws nothing but guest_protocol on random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          Array.from(new FrameDecoder().push(Buffer.from(bytes)));
        } catch (error) {
          expect(error).toMatchObject({ code: 'guest_protocol' });
        }
      }),
    );
  });
});
