// Bytes of a command's output as text: cut at whole characters, with what is no text flagged.
import { isUtf8 } from 'node:buffer';

export interface OutputText {
  readonly text: string;
  /** False when bytes that are no UTF-8 were replaced */
  readonly isUtf8: boolean;
}

/** Text of some bytes in the middle of a stream; a character that a cut divides is left out on either side. */
export function decodeSlice(bytes: Buffer, isStart: boolean, isEnd: boolean): OutputText {
  const from = isStart ? 0 : leadingRest(bytes);
  const to = isEnd ? bytes.length : bytes.length - trailingRest(bytes);
  const whole = bytes.subarray(from, Math.max(from, to));
  return { text: whole.toString('utf8'), isUtf8: isUtf8(whole) };
}

/** Bytes at the end that begin a character whose rest is missing; 0 when the end is whole or no UTF-8. */
export function trailingRest(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return needed > back ? back : 0;
  }
  return 0;
}

function leadingRest(bytes: Buffer): number {
  let count = 0;
  while (count < Math.min(3, bytes.length) && ((bytes[count] ?? 0) & 0xc0) === 0x80) count++;
  return count;
}
