// Bytes of a command's output as text: cut at whole characters, with non-text flagged.
import { isUtf8 } from 'node:buffer';

/** Most bytes of one character */
const longestCharacter = 4;
/** How much more than a page is read, so that a page smaller than a character can hold a whole one, `bytes` */
export const beyondPage = longestCharacter - 1;

export interface OutputText {
  readonly text: string;
  /** False when non-UTF-8 bytes were replaced */
  readonly isUtf8: boolean;
}

export interface SliceText extends OutputText {
  /** The text stands for the bytes from here … */
  readonly from: number;
  /** … to here */
  readonly to: number;
}

/** Text of some bytes in the middle of a stream; a character that a cut divides is left out on either side. */
export function decodeSlice(bytes: Buffer, isStart: boolean, isEnd: boolean): SliceText {
  const from = isStart ? 0 : leadingRest(bytes);
  const to = Math.max(from, isEnd ? bytes.length : bytes.length - trailingRest(bytes));
  const whole = bytes.subarray(from, to);
  return { text: whole.toString('utf8'), isUtf8: isUtf8(whole), from, to };
}

/**
 * The page at the beginning of these bytes. A character that it would cut begins the next one, so that pages put together
 * are the whole; where not even one fits, one it is.
 * @param isEnd whether nothing can come after these bytes
 */
export function wholePage(bytes: Buffer, limit: number, isEnd: boolean): Buffer {
  const page = bytes.subarray(0, limit);
  const rest = isEnd && page.length === bytes.length ? 0 : trailingRest(page);
  if (rest < page.length) return page.subarray(0, page.length - rest);
  return bytes.subarray(0, page.length === 0 ? 0 : characterBytes(bytes[0] ?? 0));
}

/** Bytes at the end that begin a character whose rest is missing; 0 when the end is whole or not UTF-8. */
export function trailingRest(bytes: Buffer): number {
  for (let back = 1; back < longestCharacter && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    return characterBytes(byte) > back ? back : 0;
  }
  return 0;
}

/** Length of the character that a byte begins. */
function characterBytes(first: number): number {
  if (first >= 0xf0) return 4;
  if (first >= 0xe0) return 3;
  return first >= 0xc0 ? 2 : 1;
}

function leadingRest(bytes: Buffer): number {
  let count = 0;
  while (count < Math.min(longestCharacter - 1, bytes.length) && ((bytes[count] ?? 0) & 0xc0) === 0x80) count++;
  return count;
}
