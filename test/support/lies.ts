// Scripts of the lying agent (guest/internal/liar): what comes in place of which answer, and the bytes that such answers are made of.
import { padding, tarEnd, writeHeader } from '../../src/system/tar-write.ts';

/** A piece of what is sent; exactly one field but `count` and `pause_ms` */
export interface Part {
  /** May hold one %08d, which is the number of the innermost repetition */
  readonly text?: string;
  readonly base64?: string;
  /** So many bytes of zero */
  readonly fill?: number;
  /** The right answer to the hello */
  readonly ack?: boolean;
  readonly frame?: {
    readonly type: number;
    readonly flags: number;
    readonly stream?: string;
    readonly payload?: readonly Part[];
    readonly length?: number;
  };
  readonly repeat?: readonly Part[];
  /** How often; for good where it is absent */
  readonly count?: number;
  readonly pause_ms?: number;
}

export interface Lie {
  /** A method and the beginning of a path, `hello`, `network`, or `way out` for the hello on the network port */
  readonly on: string;
  readonly if?: string;
  readonly after?: number;
  readonly times?: number;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: readonly Part[];
  readonly raw?: readonly Part[];
  readonly end?: 'close' | 'hang' | 'cut' | 'gone' | 'silent' | 'honest';
  /** After a hello, what was heard and said is kept beside the script under this name */
  readonly record?: string;
  readonly deaf?: boolean;
}

export const bytes = (given: Uint8Array): Part => ({ base64: Buffer.from(given).toString('base64') });
export const text = (given: string): Part => ({ text: given });
export const forever = (...parts: Part[]): Part => ({ repeat: parts });
export const times = (count: number, ...parts: Part[]): Part => ({ repeat: parts, count });
/** One byte a second, or so */
export const dripping = (part: Part, pauseMs = 1000): Part => ({ repeat: [part], pause_ms: pauseMs });

/** A frame of a process or of changes: kind, length, payload; `%08d` in a text becomes the number of the repetition. */
export function framed(kind: number, payload: string | Buffer, claimed?: number): Part[] {
  const length = typeof payload === 'string' ? payload.replaceAll('%08d', '00000000').length : payload.length;
  const head = Buffer.alloc(5);
  head.writeUInt8(kind);
  head.writeUInt32BE(claimed ?? length, 1);
  return [bytes(head), typeof payload === 'string' ? text(payload) : bytes(payload)];
}

type TarEntry = Parameters<typeof writeHeader>[0];

/** An archive's entry with its content; `claimed` is the size that the header tells. */
export function tarEntry(fields: Partial<TarEntry> & { readonly name: string }, content = '', claimed?: number): Part {
  const body = Buffer.from(content);
  const size = claimed ?? body.length;
  const header = writeHeader({ type: 'file', mode: 0o644, mtime: 0, ...fields, size });
  return bytes(Buffer.concat([header, body, padding(body.length)]));
}

export const tarOver: Part = bytes(tarEnd);
