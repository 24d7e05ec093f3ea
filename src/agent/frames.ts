// The frame stream of a process: output and events from bytes that a guest sent, checked and bounded.
import { PyroError } from '../shared/errors.ts';
import { eventSchema, type GuestEvent } from './messages.ts';

export type Frame =
  | { readonly kind: 'stdout' | 'stderr'; readonly bytes: Buffer }
  | { readonly kind: 'event'; readonly event: GuestEvent };

const headerBytes = 5;
/** Longest payload of a frame, `bytes` */
export const longestFrame = 65_536;

/** Cuts a byte stream into frames; one instance per stream. Throws `guest_protocol` on anything else. */
export class FrameDecoder {
  #rest: Buffer = Buffer.alloc(0);

  /** Frames that are complete after these bytes. */
  *push(chunk: Buffer): Generator<Frame> {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= headerBytes) {
      const length = this.#rest.readUInt32BE(1);
      if (length > longestFrame) throw broken(`a frame of ${length} bytes`);
      const end = headerBytes + length;
      if (this.#rest.length < end) return;
      const kind = this.#rest.readUInt8(0);
      const payload = this.#rest.subarray(headerBytes, end);
      this.#rest = this.#rest.subarray(end);
      yield toFrame(kind, payload);
    }
  }

  /** True between two frames. */
  get isAtBoundary(): boolean {
    return this.#rest.length === 0;
  }
}

function toFrame(kind: number, payload: Buffer): Frame {
  if (kind === 1) return { kind: 'stdout', bytes: payload };
  if (kind === 2) return { kind: 'stderr', bytes: payload };
  if (kind !== 3) throw broken(`a frame of unknown kind ${kind}`);
  try {
    return { kind: 'event', event: eventSchema.parse(JSON.parse(payload.toString('utf8'))) };
  } catch (cause) {
    throw new PyroError('guest_protocol', 'the guest sent an event that does not parse', { cause });
  }
}

function broken(what: string): PyroError {
  return new PyroError('guest_protocol', `the guest sent ${what}`, {
    hint: 'the guest is damaged or hostile; delete it and start another',
  });
}
