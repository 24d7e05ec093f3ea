// Takes secrets out of byte streams: each byte of one becomes a star, so that offsets stay what they are.
const star = 0x2a;

/** Masks whole forms in a buffer, in place of which a copy is given when something was found. */
export function maskForms(bytes: Buffer, forms: readonly Buffer[]): Buffer {
  let masked = bytes;
  for (const form of forms) {
    for (let at = bytes.indexOf(form); at >= 0; at = bytes.indexOf(form, at + 1)) {
      if (masked === bytes) masked = Buffer.from(bytes);
      masked.fill(star, at, at + form.length);
    }
  }
  return masked;
}

export function containsForm(bytes: Buffer, forms: readonly Buffer[]): boolean {
  return forms.some((form) => bytes.includes(form));
}

/** Masks a stream. Only an end that could be the beginning of a secret waits for what comes next. */
export class StreamRedactor {
  readonly #forms: readonly Buffer[];
  #held: Buffer = Buffer.alloc(0);
  #hasFound = false;

  constructor(forms: readonly Buffer[]) {
    this.#forms = forms;
  }

  /** True once a secret went by. */
  get hasFound(): boolean {
    return this.#hasFound;
  }

  /** What may be shown after these bytes. */
  push(chunk: Buffer): Buffer {
    if (this.#forms.length === 0) return chunk;
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const masked = maskForms(bytes, this.#forms);
    this.#hasFound ||= masked !== bytes;
    const kept = openEnd(bytes, this.#forms);
    // The held bytes are kept as they came: the next push looks at them again.
    this.#held = Buffer.from(bytes.subarray(bytes.length - kept));
    return masked.subarray(0, bytes.length - kept);
  }

  /** The rest, at the end of the stream. */
  end(): Buffer {
    const rest = maskForms(this.#held, this.#forms);
    this.#hasFound ||= rest !== this.#held;
    this.#held = Buffer.alloc(0);
    return rest;
  }
}

/** Length of the longest end of the bytes that begins a form. */
function openEnd(bytes: Buffer, forms: readonly Buffer[]): number {
  let longest = 0;
  for (const form of forms) {
    for (let length = Math.min(form.length - 1, bytes.length); length > longest; length--) {
      const from = bytes.length - length;
      if (bytes[from] !== form[0] || !bytes.subarray(from).equals(form.subarray(0, length))) continue;
      longest = length;
      break;
    }
  }
  return longest;
}
