// Takes secrets out of byte streams: each byte of one becomes a star, so that offsets stay what they are.
import { type Found, findForms, openEnd } from './find-forms.ts';
import type { Form } from './forms.ts';

const star = 0x2a;
/** What is remembered of what was shown: a form may begin in it that a line break divides, `bytes` */
const rememberedBytes = 80;
/** A beginning that so many spaces follow is no longer waited for, `bytes` */
const mostHeld = 65_536;

/** Masks whole forms in a buffer, in place of which a copy is given when something was found. */
export function maskForms(bytes: Buffer, forms: readonly Form[]): Buffer {
  return maskFound(bytes, findForms(bytes, forms));
}

export function containsForm(bytes: Buffer, forms: readonly Form[]): boolean {
  return findForms(bytes, forms).length > 0;
}

/** Line breaks and spaces stay, so that lines are lines. */
function maskFound(bytes: Buffer, found: readonly Found[]): Buffer {
  if (found.length === 0) return bytes;
  const masked = Buffer.from(bytes);
  for (const { start, end, isLoose } of found) {
    if (!isLoose) masked.fill(star, start, end);
    else for (let at = start; at < end; at++) if ((masked[at] ?? 0) > 0x20) masked[at] = star;
  }
  return masked;
}

/** Masks a stream. Only an end that could be the beginning of a secret waits for what comes next. */
export class StreamRedactor {
  readonly #forms: readonly Form[];
  readonly #mostHeld: number;
  /** The end of what was shown, as it came */
  #shown: Buffer = Buffer.alloc(0);
  #held: Buffer = Buffer.alloc(0);
  #hasFound = false;

  constructor(forms: readonly Form[]) {
    this.#forms = forms;
    this.#mostHeld = mostHeld + 2 * (forms[0]?.bytes.length ?? 0);
  }

  /** True once a secret went by. */
  get hasFound(): boolean {
    return this.#hasFound;
  }

  /** What may be shown after these bytes. */
  push(chunk: Buffer): Buffer {
    if (this.#forms.length === 0) return chunk;
    const bytes = Buffer.concat([this.#shown, this.#held, chunk]);
    const kept = openEnd(bytes, this.#forms);
    return this.#show(bytes, kept > this.#mostHeld ? 0 : kept);
  }

  /** The rest, at the end of the stream. */
  end(): Buffer {
    return this.#show(Buffer.concat([this.#shown, this.#held]), 0);
  }

  #show(bytes: Buffer, kept: number): Buffer {
    const from = this.#shown.length;
    const to = Math.max(from, bytes.length - kept);
    const found = findForms(bytes, this.#forms);
    this.#hasFound ||= found.length > 0;
    const shown = maskFound(bytes, found).subarray(from, to);
    this.#shown = Buffer.from(bytes.subarray(Math.max(0, to - rememberedBytes), to));
    // The held bytes are kept as they came: the next push looks at them again.
    this.#held = Buffer.from(bytes.subarray(to));
    return shown;
  }
}
