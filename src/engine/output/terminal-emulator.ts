// A terminal without a window: what a stream of bytes looks like as text. The one door to the emulator library.
import serializeAddon from '@xterm/addon-serialize';
import headless from '@xterm/headless';

import { PyroError } from '../../shared/errors.ts';

type Terminal = InstanceType<typeof headless.Terminal>;

export interface TerminalSize {
  readonly cols: number;
  readonly rows: number;
}

export interface Screen {
  readonly lines: string[];
  readonly cursorRow: number;
  readonly cursorCol: number;
  readonly isAlternate: boolean;
}

/** Bytes that are looked at before finished lines are taken away, so that memory stays small */
const pieceBytes = 8192;

/**
 * The library looks after each chunk whether its turn of 12 ms is over. Two bytes may have it clear all cells of a screen,
 * so chunks are the smaller the larger that is.
 */
const bytesTimesCells = 5_000_000;
const leastChunk = 16;
/** Chunks after which it is looked whether this takes too long */
const chunksAtOnce = 16;
/** Each may have colours of its own, which take some 34 characters and 1.1 us of this thread; a terminal of 400 by 125 has as many */
export const mostColouredCells = 50_000;
/** Longest time for all of a stream, `ms` */
export const longestDrawMs = 10_000;

/**
 * The library does what such a sequence asks for as often as it says, and nothing else meanwhile: one that asks for more
 * than the screen holds is left out. Sequences with a count: lines and characters put in, taken out, moved, repeated; tabs; columns */
const repeated = [
  ...[...'@ILMPSTXZbae`'].map((final) => ({ final })),
  ...[...'@A'].map((final) => ({ intermediates: ' ', final })),
  ...[...'}~'].map((final) => ({ intermediates: "'", final })),
];

/** A screen that is fed as its stream arrives. */
export class EmulatedScreen {
  readonly #terminal: Terminal;
  readonly #pen: Pen;

  /** @param mostMs longest time for all that it is fed */
  constructor(size: TerminalSize, mostMs = longestDrawMs) {
    this.#terminal = createTerminal(size, 0);
    this.#pen = new Pen(this.#terminal, mostMs);
  }

  /** Throws `work_too_large`. */
  async feed(bytes: Uint8Array): Promise<void> {
    await this.#pen.write(bytes);
  }

  resize({ cols, rows }: TerminalSize): void {
    this.#terminal.resize(cols, rows);
  }

  look(): Screen {
    const { active } = this.#terminal.buffer;
    const lines: string[] = [];
    for (let row = 0; row < this.#terminal.rows; row++) lines.push(lineText(active, active.baseY + row));
    while (lines.at(-1) === '') lines.pop();
    return {
      lines,
      cursorRow: active.cursorY,
      cursorCol: active.cursorX,
      isAlternate: active.type === 'alternate',
    };
  }

  /** What draws this screen on another terminal: without colours where it is larger than a person's. */
  redraw(): string {
    const { rows, cols } = this.#terminal;
    if (rows * cols > mostColouredCells) {
      const { lines, cursorRow, cursorCol } = this.look();
      return `\u001b[2J\u001b[H${lines.join('\r\n')}\u001b[${cursorRow + 1};${cursorCol + 1}H`;
    }
    const addon = new serializeAddon.SerializeAddon();
    this.#terminal.loadAddon(addon);
    try {
      return addon.serialize({ scrollback: 0 });
    } finally {
      addon.dispose();
    }
  }
}

/** A part of a stream as text: no escape sequences, overwritten characters gone, long lines whole again. Throws `work_too_large`. */
export async function plainText(bytes: Uint8Array, size: TerminalSize, mostChars: number): Promise<string> {
  const terminal = createTerminal(size, pieceBytes);
  const text = new LineJoiner(mostChars);
  const pen = new Pen(terminal, longestDrawMs);
  try {
    for (let at = 0; at < bytes.length && !text.isFull; at += pieceBytes) {
      await pen.write(bytes.subarray(at, at + pieceBytes));
      // Lines that have left the screen never change again.
      const { normal } = terminal.buffer;
      for (let row = 0; row < normal.baseY; row++) text.add(lineText(normal, row), isWrapped(normal, row));
      terminal.options.scrollback = 0;
      terminal.options.scrollback = pieceBytes;
    }
    const { normal, active } = terminal.buffer;
    addScreen(text, normal);
    if (active.type === 'alternate') addScreen(text, active);
    return text.end();
  } finally {
    terminal.dispose();
  }
}

function addScreen(text: LineJoiner, buffer: ScreenBuffer): void {
  const rows: { text: string; wrapped: boolean }[] = [];
  for (let row = buffer.baseY; row < buffer.length; row++) {
    rows.push({ text: lineText(buffer, row), wrapped: isWrapped(buffer, row) });
  }
  while (rows.length > buffer.cursorY + 1 && rows.at(-1)?.text === '') rows.pop();
  for (const row of rows) text.add(row.text, row.wrapped);
}

class LineJoiner {
  readonly #mostChars: number;
  #text = '';
  #isFirst = true;

  constructor(mostChars: number) {
    this.#mostChars = mostChars;
  }

  get isFull(): boolean {
    return this.#text.length >= this.#mostChars;
  }

  add(line: string, isContinued: boolean): void {
    if (this.isFull) return;
    this.#text += `${this.#isFirst || isContinued ? '' : '\n'}${line}`;
    this.#isFirst = false;
  }

  end(): string {
    return this.#text.slice(0, this.#mostChars);
  }
}

function createTerminal({ cols, rows }: TerminalSize, scrollback: number): Terminal {
  // It would tell what it cannot read on standard error, and a guest decides how often.
  const terminal = new headless.Terminal({ cols, rows, scrollback, allowProposedApi: true, logLevel: 'off' });
  const isTooOften = ([count = 0]: readonly (number | number[])[]): boolean =>
    Number(count) > Math.max(terminal.cols, terminal.rows);
  for (const id of repeated) terminal.parser.registerCsiHandler(id, isTooOften);
  return terminal;
}

/** Writes to a terminal without holding up this process, and not for good. */
class Pen {
  readonly #terminal: Terminal;
  readonly #mostMs: number;
  #spentMs = 0;

  constructor(terminal: Terminal, mostMs: number) {
    this.#terminal = terminal;
    this.#mostMs = mostMs;
  }

  async write(bytes: Uint8Array): Promise<void> {
    const { cols, rows } = this.#terminal;
    const chunkBytes = Math.max(leastChunk, Math.floor(bytesTimesCells / (cols * rows)));
    for (let at = 0; at < bytes.length; at += chunksAtOnce * chunkBytes) {
      const startedAt = performance.now();
      await this.#chunks(bytes.subarray(at, at + chunksAtOnce * chunkBytes), chunkBytes);
      this.#spentMs += performance.now() - startedAt;
      if (this.#spentMs <= this.#mostMs) continue;
      throw new PyroError(
        'work_too_large',
        `what the terminal shows takes more than ${this.#mostMs / 1000} s to draw`,
        {
          hint: 'read the output as it came, or from a later cursor, and give the shell a smaller terminal',
        },
      );
    }
  }

  #chunks(bytes: Uint8Array, chunkBytes: number): Promise<void> {
    return new Promise((resolve) => {
      for (let at = 0; at < bytes.length; at += chunkBytes) {
        const isLast = at + chunkBytes >= bytes.length;
        this.#terminal.write(bytes.subarray(at, at + chunkBytes), isLast ? resolve : undefined);
      }
    });
  }
}

type ScreenBuffer = Terminal['buffer']['active'];

function lineText(buffer: ScreenBuffer, row: number): string {
  return buffer.getLine(row)?.translateToString(true) ?? '';
}

function isWrapped(buffer: ScreenBuffer, row: number): boolean {
  return buffer.getLine(row)?.isWrapped ?? false;
}
