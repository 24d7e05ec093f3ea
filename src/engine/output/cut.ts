// Where a part of a terminal's output may end: not inside a character, not inside an escape sequence.
import { trailingRest } from './text.ts';

const escapeByte = 0x1b;
const bell = String.fromCharCode(7);
const stringEnd = `${String.fromCharCode(escapeByte)}\\`;
/** Longest escape sequence that is waited for, `bytes` */
const longestSequence = 512;

/** Bytes at the end that begin a character or an escape sequence whose rest is missing. */
export function unfinishedRest(bytes: Buffer, withEscapes: boolean): number {
  const rest = withEscapes ? unfinishedEscape(bytes) : 0;
  return rest > 0 ? rest : trailingRest(bytes);
}

function unfinishedEscape(bytes: Buffer): number {
  const at = bytes.lastIndexOf(escapeByte);
  if (at < 0) return 0;
  // The second half of a string's end belongs to the string.
  const start = isStringOpen(bytes, at) ? bytes.lastIndexOf(escapeByte, at - 1) : at;
  const length = bytes.length - start;
  if (length > longestSequence || isWhole(bytes.subarray(start + 1).toString('latin1'))) return 0;
  return length;
}

/** True when the escape at this place can only end a string that an earlier one began. */
function isStringOpen(bytes: Buffer, at: number): boolean {
  if (at === 0 || at !== bytes.length - 1) return false;
  const before = bytes.lastIndexOf(escapeByte, at - 1);
  if (before < 0 || at - before > longestSequence) return false;
  const between = bytes.subarray(before + 1, at).toString('latin1');
  return beginsString(between) && !between.includes(bell);
}

/** @param sequence what follows the escape */
function isWhole(sequence: string): boolean {
  if (beginsString(sequence)) return sequence.includes(bell) || sequence.includes(stringEnd);
  if (sequence.startsWith('[')) return /^\[[0-?]*[ -/]*[@-~]/.test(sequence);
  return /^[ -/]*[0-~]/.test(sequence);
}

function beginsString(sequence: string): boolean {
  return /^[\]PX^_]/.test(sequence);
}
