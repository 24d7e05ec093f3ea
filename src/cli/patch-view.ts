// A patch for a person at a terminal: in colours, without the bytes of binary files, and with nothing of it an order to the terminal.
import { styleText } from 'node:util';
import { visibleLines } from '../shared/visible.ts';

type Style = Parameters<typeof styleText>[0];

const binaryNote = '(a binary file; redirect to a pipe or a file to get its bytes)';

/** Names of contents as a patch needs them; a person knows them by their beginning */
const wholeIndex = /^index ([0-9a-f]{7})[0-9a-f]{33,}\.\.([0-9a-f]{7})[0-9a-f]{33,}/;

/** Takes pieces of a patch as they come and gives the lines that are whole. */
export class PatchView {
  readonly #hasColours: boolean;
  #rest = '';
  #isBinary = false;
  /** Lines that the hunk still has, before and after */
  #left: [number, number] = [0, 0];

  constructor(hasColours: boolean) {
    this.#hasColours = hasColours;
  }

  take(piece: string): string {
    const lines = (this.#rest + piece).split('\n');
    this.#rest = lines.pop() ?? '';
    return lines.map((line) => this.#line(line)).join('');
  }

  end(): string {
    const last = this.#rest === '' ? '' : this.#line(this.#rest);
    this.#rest = '';
    return last;
  }

  #line(line: string): string {
    if (this.#isBinary && !line.startsWith('diff --git ')) return '';
    this.#isBinary = false;
    if (line === 'GIT binary patch') {
      this.#isBinary = true;
      return `${binaryNote}\n`;
    }
    const style = this.#styleOf(line);
    const text = visibleLines(style === 'bold' ? line.replace(wholeIndex, 'index $1..$2') : line);
    return `${style === undefined || !this.#hasColours ? text : styleText(style, text, { validateStream: false })}\n`;
  }

  #styleOf(line: string): Style | undefined {
    const [before, after] = this.#left;
    if (before > 0 || after > 0) {
      const sign = line.charAt(0);
      if (sign !== '\\') this.#left = [before - Number(sign !== '+'), after - Number(sign !== '-')];
      return sign === '+' ? 'green' : sign === '-' ? 'red' : undefined;
    }
    const hunk = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/.exec(line);
    if (hunk === null) return line.startsWith('\\') ? undefined : 'bold';
    this.#left = [Number(hunk[1] ?? 1), Number(hunk[2] ?? 1)];
    return 'cyan';
  }
}
