// Columns of text for a terminal.
import stringWidth from 'string-width';
import { visible } from './visible.ts';

/** A column is not made narrower than this: ids and numbers stay whole, `columns` of the terminal, as all widths here */
const narrowest = 12;
/** Between two columns, `columns` */
const gap = 2;

/**
 * Lines with each column padded to its widest cell; the last column is left as it is. With the `width` of a terminal,
 * in its columns, the widest columns are cut so that a line fits, where that is possible.
 */
export function formatTable(cells: readonly (readonly string[])[], width?: number): string {
  const rows = cells.map((row) => row.map(visible));
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, stringWidth(cell));
    });
  }
  if (width !== undefined) narrow(widths, width);
  return rows
    .map((row) =>
      row
        .map((whole, index) => {
          const most = widths[index] ?? 0;
          const cell = cutToWidth(most, whole);
          return index === row.length - 1 ? cell : cell + ' '.repeat(most - stringWidth(cell));
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Names and what is said of each; what is longer than the `width` of a terminal continues below its beginning, cut at spaces. */
export function formatFacts(facts: readonly (readonly string[])[], width?: number): string {
  const names = Math.max(...facts.map(([name = '']) => stringWidth(name)));
  const room = Math.max((width ?? Infinity) - names - gap, narrowest);
  return formatTable(
    facts.flatMap(([name = '', text = '']) =>
      brokenAt(room, text).map((line, index) => [index === 0 ? name : '', line]),
    ),
  );
}

function brokenAt(room: number, text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || stringWidth(last) + 1 + stringWidth(word) > room) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/** Takes from the widest column, again and again, what is too much. */
function narrow(widths: number[], width: number): void {
  const gaps = gap * (widths.length - 1);
  for (let over = widths.reduce((sum, each) => sum + each, gaps) - width; over > 0; over--) {
    const widest = Math.max(...widths);
    if (widest <= narrowest) return;
    widths[widths.lastIndexOf(widest)] = widest - 1;
  }
}

/** The text where it fits, else its beginning with a mark that it continues. What a reader sees as one sign is not divided. */
export function cutToWidth(most: number, cell: string): string {
  if (stringWidth(cell) <= most) return cell;
  let text = '';
  for (const { segment } of new Intl.Segmenter().segment(cell)) {
    if (stringWidth(text + segment) > most - 1) break;
    text += segment;
  }
  // A colour that was cut would take what follows for its rest.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what colours begin with
  return `${text.replace(/\u001b(?:\[[0-9;]*)?$/, '')}…`;
}
