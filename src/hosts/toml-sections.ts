// A TOML text cut at its table headers, so that one table can be changed without touching a byte of the others.
import { scanToml } from './toml-scan.ts';

export interface Section {
  /** Parts of the table's name; empty before the first header */
  readonly name: readonly string[];
  /** The header line as it is */
  readonly header: string;
  /** Header and lines up to the last that is no comment */
  readonly body: string;
  /** Comments and empty lines behind it: they mostly belong to what follows */
  readonly tail: string;
}

/** The sections of a sound text. */
export function splitSections(text: string): Section[] {
  const statements = scanToml(text);
  const headers = statements.filter(({ kind }) => kind === 'header');
  return [undefined, ...headers].map((header, index) => {
    const start = header?.start ?? 0;
    const end = headers[index]?.start ?? text.length;
    const last = statements.findLast((statement) => statement.start >= start && statement.start < end);
    const bodyEnd = last?.end ?? start;
    return {
      name: header?.path ?? [],
      header: header === undefined ? '' : text.slice(start, header.end).trimEnd(),
      body: text.slice(start, bodyEnd),
      tail: text.slice(bodyEnd, end),
    };
  });
}

const headerPattern = /^[ \t]*\[\[?([^\]\n]*)\]\]?[ \t]*(?:#.*)?$/;
const partPattern = /"((?:[^"\\]|\\.)*)"|'([^']*)'|([\w-]+)/g;

/** As {@link splitSections} for a text that does not parse, by the look of its lines. */
export function guessSections(text: string): Section[] {
  const groups: { name: string[]; lines: string[] }[] = [{ name: [], lines: [] }];
  for (const line of text.split(/(?<=\n)/)) {
    const header = headerPattern.exec(line.trimEnd());
    if (header !== null) groups.push({ name: partsOf(header[1] ?? ''), lines: [] });
    groups.at(-1)?.lines.push(line);
  }
  return groups.map(({ name, lines }) => {
    const last = lines.findLastIndex((line) => line.trim() !== '' && !line.trim().startsWith('#'));
    return {
      name,
      header: name.length === 0 ? '' : (lines[0] ?? '').trimEnd(),
      body: lines.slice(0, last + 1).join(''),
      tail: lines.slice(last + 1).join(''),
    };
  });
}

export function joinSections(sections: readonly Section[]): string {
  return sections.map(({ body, tail }) => body + tail).join('');
}

function partsOf(name: string): string[] {
  return [...name.matchAll(partPattern)].map(([, quoted, literal, bare]) => quoted ?? literal ?? bare ?? '');
}
