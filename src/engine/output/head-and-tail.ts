// The one cut of output that is too long to show: its beginning, a note on what is left out, and its end.
import { decodeSlice, type OutputText } from './text.ts';

export interface CutSizes {
  readonly headBytes: number;
  readonly tailBytes: number;
}

export interface CutOutput {
  readonly head: Buffer;
  /** Empty if the head is everything */
  readonly tail: Buffer;
  /** Of the whole output, `bytes` */
  readonly size: number;
  /** False while more may come, so that a character at the end may still get its rest */
  readonly isOver: boolean;
}

/** How much of either end is shown within a total of so many bytes. */
export function cutSizes(room: number): CutSizes {
  const headBytes = Math.floor(room / 2);
  return { headBytes, tailBytes: room - headBytes };
}

/**
 * Both ends as one text. A character that the cut divides belongs to what is left out.
 * @param note told how many bytes are left out, and at which offset they begin
 */
export function joinEnds(
  { head, tail, size, isOver }: CutOutput,
  note: (leftOut: number, offset: number) => string,
): OutputText {
  if (size <= head.length + tail.length) return decodeSlice(Buffer.concat([head, tail]), true, isOver);
  const first = decodeSlice(head, true, false);
  const last = decodeSlice(tail, false, isOver);
  const between = note(last.from + size - tail.length - first.to, first.to);
  return { ...first, text: `${first.text}\n[… ${between} …]\n${last.text}`, isUtf8: first.isUtf8 && last.isUtf8 };
}
