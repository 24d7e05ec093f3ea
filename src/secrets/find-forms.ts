// Where the forms of secrets stand in bytes, and where one may have begun that goes on in what comes next.
import type { Form } from './forms.ts';

export interface Found {
  readonly start: number;
  readonly end: number;
  /** True where line breaks and spaces may stand in between */
  readonly isLoose: boolean;
}

/** Bytes without line breaks and spaces, and where each of them stood. */
interface Dense {
  readonly bytes: Buffer;
  /** Absent where nothing was left out */
  readonly places: Uint32Array | undefined;
}

/** So many signs of a form must stand before a line break at the end for what follows to be waited for */
const tellingSigns = 4;
const space = 0x20;

export function findForms(bytes: Buffer, forms: readonly Form[]): Found[] {
  const found: Found[] = [];
  const dense = forms.some(({ isLoose }) => isLoose) ? denseOf(bytes) : undefined;
  for (const { bytes: form, isLoose, tail } of forms) {
    const within = isLoose && dense !== undefined ? dense.bytes : bytes;
    for (let at = within.indexOf(form); at >= 0; at = within.indexOf(form, at + 1)) {
      const next = within[at + form.length];
      const end = at + form.length + (next !== undefined && tail.includes(next) ? 1 : 0);
      if (dense?.places === undefined || !isLoose) found.push({ start: at, end, isLoose });
      else found.push({ start: placeOf(dense, at), end: placeOf(dense, end - 1) + 1, isLoose });
    }
  }
  return found;
}

function denseOf(bytes: Buffer): Dense {
  let count = 0;
  for (let at = 0; at < bytes.length; at++) if ((bytes[at] ?? 0) <= space) count++;
  if (count === 0) return { bytes, places: undefined };
  const dense = Buffer.allocUnsafe(bytes.length - count);
  const places = new Uint32Array(bytes.length - count);
  let to = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte <= space) continue;
    dense[to] = byte;
    places[to++] = at;
  }
  return { bytes: dense, places };
}

function placeOf({ places }: Dense, at: number): number {
  return places === undefined ? at : (places[at] ?? 0);
}

/** Length of the longest end of the bytes that begins a form. */
export function openEnd(bytes: Buffer, forms: readonly Form[]): number {
  const dense = forms.some(({ isLoose }) => isLoose) ? denseOf(bytes) : undefined;
  let longest = 0;
  for (const { bytes: form, isLoose, tail } of forms) {
    const within = isLoose && dense !== undefined ? dense : { bytes, places: undefined };
    const begun = begunLength(within.bytes, form, tail.length > 0 ? form.length : form.length - 1, (from, length) => {
      const kept = bytes.length - placeOf(within, from);
      // A sign or two at the end of a line are an ordinary end of a line.
      return kept === length || length >= tellingSigns ? kept : 0;
    });
    longest = Math.max(longest, begun);
  }
  return longest;
}

/** The longest end that begins the form and is worth something; what it is worth. */
function begunLength(
  bytes: Buffer,
  form: Buffer,
  most: number,
  worth: (from: number, length: number) => number,
): number {
  for (let length = Math.min(most, bytes.length); length > 0; length--) {
    const from = bytes.length - length;
    if (bytes[from] !== form[0] || bytes.compare(form, 0, length, from) !== 0) continue;
    const kept = worth(from, length);
    if (kept > 0) return kept;
  }
  return 0;
}
