// The lines of a file around a place, as the error of a patch shows them.
import { formatCount } from '../shared/units.ts';

const linesAround = 3;
const longestLine = 200;

/** `line` counts from 1. */
export function linesAt(text: string, path: Buffer, line: number): string {
  const lines = text.replace(/\n$/, '').split('\n');
  const first = Math.max(1, Math.min(line, lines.length) - linesAround);
  const shown = lines
    .slice(first - 1, first + 2 * linesAround)
    .map((content, index) => `${String(first + index).padStart(6)}  ${shorten(content.replace(/\r$/, ''))}`);
  return `\n/workspace/${path.toString('utf8')} has ${formatCount(lines.length, 'line')}; it says there:\n${shown.join('\n')}`;
}

function shorten(line: string): string {
  return line.length <= longestLine ? line : `${line.slice(0, longestLine)}…`;
}
