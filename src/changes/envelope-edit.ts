// Hunks without numbers into a text: each is looked for behind the one before, exactly first, then with white space and signs let go.
import type { EnvelopeHunk, EnvelopeLine } from './envelope-parse.ts';

/** Why a hunk does not fit. */
export interface Misfit {
  /** From 1 */
  readonly hunk: number;
  /** Nearest place in the text, from 1 */
  readonly line: number;
  readonly why: string;
  /** False for a file whose lines are too many to show some */
  readonly isShown?: boolean;
}

interface Line {
  readonly text: string;
  /** Empty for a last line without one */
  readonly end: string;
}

interface Splice {
  readonly at: number;
  readonly length: number;
  readonly lines: readonly Line[];
}

/** Comparisons of lines that one file may cost */
const mostComparisons = 20_000_000;
/** Each is an object in memory */
const mostLines = 200_000;
const longestShown = 200;

const dashes = /[\u2010-\u2015\u2212]/g;
const singleQuotes = /[\u2018-\u201b]/g;
const doubleQuotes = /[\u201c-\u201f]/g;
const oddSpaces = /[\u00a0\u2002-\u200a\u202f\u205f\u3000]/g;

/** How alike two lines have to be, the most first */
const likenesses: readonly ((line: string) => string)[] = [
  (line) => line,
  (line) => line.replace(/[ \t\r\f\v]+$/, ''),
  trimmed,
  plain,
];

/** The text after all hunks; text and hunks are latin1. */
export function editText(text: string, hunks: readonly EnvelopeHunk[]): string | Misfit {
  const lines = linesOf(text);
  if (lines === undefined)
    return { hunk: 1, line: 1, why: `the file has more than ${mostLines} lines; use a unified diff`, isShown: false };
  const search = new Search(lines);
  const splices: Splice[] = [];
  const end = usualEnd(lines);
  let at = 0;
  for (const [index, hunk] of hunks.entries()) {
    const misfit = (why: string, line: number): Misfit => ({ hunk: index + 1, line: line + 1, why });
    for (const anchor of hunk.anchors) {
      const found = search.anchor(anchor, at);
      if (search.isSpent) return misfit('the file is too long to search; use a unified diff', at);
      if (found === undefined) return misfit(`there is no line ${shown(anchor)}${behind(at)}`, at);
      at = found + 1;
    }
    const body = search.body(hunk, at);
    if (search.isSpent) return misfit('the file is too long to search; use a unified diff', at);
    if (body === undefined) {
      const old = oldLines(hunk.lines);
      const above = at > 0 ? search.lines(old, 0, false) : undefined;
      return above === undefined
        ? misfit(`its lines are not there${behind(at)}, beginning with ${shown(old[0] ?? '')}`, search.nearest(old, at))
        : misfit(`its lines come before those of the hunk above; hunks go from the top of the file down`, above);
    }
    splices.push(spliceOf(lines, body, end));
    at = body.at + oldLines(body.lines).length;
  }
  return joined(lines, splices, end);
}

function behind(at: number): string {
  return at === 0 ? '' : ` after line ${at}`;
}

/** Undefined when they are too many. */
function linesOf(text: string): Line[] | undefined {
  let count = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) if (++count > mostLines) return undefined;
  const lines: Line[] = [];
  for (let start = 0; start < text.length; ) {
    const feed = text.indexOf('\n', start);
    const stop = feed < 0 ? text.length : feed;
    const hasReturn = feed > start && text[feed - 1] === '\r';
    lines.push({
      text: text.slice(start, hasReturn ? stop - 1 : stop),
      end: feed < 0 ? '' : hasReturn ? '\r\n' : '\n',
    });
    start = stop + 1;
  }
  return lines;
}

/** The line end that most lines have: a patch says nothing of it. */
function usualEnd(lines: readonly Line[]): string {
  const returns = lines.filter(({ end }) => end === '\r\n').length;
  return returns * 2 > lines.filter(({ end }) => end !== '').length ? '\r\n' : '\n';
}

function oldLines(lines: readonly EnvelopeLine[]): string[] {
  return lines.filter(({ mark }) => mark !== '+').map(({ text }) => text);
}

/** Lines that stay are those of the file; a new one ends as the line above it. */
function spliceOf(lines: readonly Line[], body: { at: number; lines: readonly EnvelopeLine[] }, usual: string): Splice {
  const result: Line[] = [];
  let from = body.at;
  for (const { mark, text } of body.lines) {
    const old = lines[from];
    if (mark === '+') {
      const near = result.at(-1)?.end ?? lines[body.at - 1]?.end ?? old?.end ?? '';
      result.push({ text, end: near === '' ? usual : near });
      continue;
    }
    if (mark === ' ' && old !== undefined) result.push(old);
    from++;
  }
  return { at: body.at, length: from - body.at, lines: result };
}

function joined(lines: readonly Line[], splices: readonly Splice[], usual: string): string {
  const parts: string[] = [];
  let at = 0;
  const whole: Line[][] = [];
  for (const splice of splices) {
    whole.push(lines.slice(at, splice.at), [...splice.lines]);
    at = splice.at + splice.length;
  }
  whole.push(lines.slice(at));
  const all = whole.flat();
  all.forEach(({ text, end }, index) => {
    parts.push(text, end === '' && index < all.length - 1 ? usual : end);
  });
  return parts.join('');
}

class Search {
  readonly #lines: readonly Line[];
  #left = mostComparisons;

  constructor(lines: readonly Line[]) {
    this.#lines = lines;
  }

  get isSpent(): boolean {
    return this.#left <= 0;
  }

  /** A whole line like the anchor, else the only line that contains it. */
  anchor(anchor: string, from: number): number | undefined {
    const whole = this.lines([anchor], from, false);
    if (whole !== undefined || trimmed(anchor) === '') return whole;
    const wanted = plain(anchor);
    let only: number | undefined;
    for (let at = from; at < this.#lines.length && !this.isSpent; at++) {
      this.#left--;
      if (!plain(this.#lines[at]?.text ?? '').includes(wanted)) continue;
      if (only !== undefined) return undefined;
      only = at;
    }
    return only;
  }

  /** Where a hunk goes, and its lines as far as they count: an empty last one may be none. */
  body(hunk: EnvelopeHunk, from: number): { at: number; lines: readonly EnvelopeLine[] } | undefined {
    const { lines, anchors, isAtEnd } = hunk;
    const old = oldLines(lines);
    // Nothing but new lines: behind the anchor, or at the end.
    if (old.length === 0) return { at: anchors.length > 0 && !isAtEnd ? from : this.#lines.length, lines };
    const at = this.lines(old, from, isAtEnd);
    if (at !== undefined) return { at, lines };
    const last = lines.findLastIndex(({ mark }) => mark !== '+');
    if (old.length < 2 || lines[last]?.text !== '') return undefined;
    const shorter = this.lines(old.slice(0, -1), from, isAtEnd);
    return shorter === undefined ? undefined : { at: shorter, lines: lines.filter((_, index) => index !== last) };
  }

  /** The first place of these lines from there on, by the best likeness; at the end of the file first, where they belong there. */
  lines(wanted: readonly string[], from: number, isAtEnd: boolean): number | undefined {
    const last = this.#lines.length - wanted.length;
    if (isAtEnd && last >= from) {
      const atEnd = likenesses.some((like) => this.#isAt(wanted, last, like));
      if (atEnd) return last;
    }
    for (const like of likenesses) {
      const alike = wanted.map(like);
      for (let at = from; at <= last && !this.isSpent; at++) if (this.#isAt(alike, at, like)) return at;
    }
    return undefined;
  }

  /** The place where most of the lines are. */
  nearest(wanted: readonly string[], from: number): number {
    const alike = wanted.slice(0, 20).map(trimmed);
    let best = { at: from, count: 0 };
    for (let at = 0; at < this.#lines.length && !this.isSpent; at++) {
      this.#left -= alike.length;
      const isThere = (each: string, index: number): boolean =>
        each !== '' && trimmed(this.#lines[at + index]?.text ?? '') === each;
      const count = alike.filter(isThere).length;
      if (count > best.count) best = { at: at + alike.findIndex(isThere), count };
    }
    return best.at;
  }

  #isAt(wanted: readonly string[], at: number, like: (line: string) => string): boolean {
    for (const [index, each] of wanted.entries()) {
      this.#left--;
      if (like(this.#lines[at + index]?.text ?? '') !== like(each)) return false;
    }
    return true;
  }
}

function trimmed(line: string): string {
  return line.replace(/^[ \t\r\f\v]+|[ \t\r\f\v]+$/g, '');
}

/** Typographic dashes, quotes and spaces as one types them. */
function plain(line: string): string {
  const text = Buffer.from(line, 'latin1').toString('utf8');
  const ascii = text.replace(dashes, '-').replace(singleQuotes, "'").replace(doubleQuotes, '"').replace(oddSpaces, ' ');
  return trimmed(ascii);
}

function shown(line: string): string {
  return JSON.stringify(Buffer.from(line.slice(0, longestShown), 'latin1').toString('utf8'));
}
