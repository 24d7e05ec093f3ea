// A terminal without a window: what a stream of bytes looks like as text. The one door to the emulator library.
import serializeAddon from '@xterm/addon-serialize';
import headless from '@xterm/headless';

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

  constructor(size: TerminalSize) {
    this.#terminal = createTerminal(size, 0);
  }

  async feed(bytes: Uint8Array): Promise<void> {
    await write(this.#terminal, bytes);
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

  /** What draws this screen on another terminal. */
  redraw(): string {
    const addon = new serializeAddon.SerializeAddon();
    this.#terminal.loadAddon(addon);
    try {
      return addon.serialize({ scrollback: 0 });
    } finally {
      addon.dispose();
    }
  }
}

/** A part of a stream as text: no escape sequences, overwritten characters gone, long lines whole again. */
export async function plainText(bytes: Uint8Array, size: TerminalSize, mostChars: number): Promise<string> {
  const terminal = createTerminal(size, pieceBytes);
  const text = new LineJoiner(mostChars);
  try {
    for (let at = 0; at < bytes.length && !text.isFull; at += pieceBytes) {
      await write(terminal, bytes.subarray(at, at + pieceBytes));
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

function write(terminal: Terminal, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => terminal.write(bytes, resolve));
}

type ScreenBuffer = Terminal['buffer']['active'];

function lineText(buffer: ScreenBuffer, row: number): string {
  return buffer.getLine(row)?.translateToString(true) ?? '';
}

function isWrapped(buffer: ScreenBuffer, row: number): boolean {
  return buffer.getLine(row)?.isWrapped ?? false;
}
