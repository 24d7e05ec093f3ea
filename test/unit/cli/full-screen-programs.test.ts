// Full-screen programs as they were recorded, through the filter: the screen is theirs, and nothing reaches beyond it.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import serializeAddon from '@xterm/addon-serialize';
import headless from '@xterm/headless';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { TerminalFilter } from '../../../src/cli/terminal-filter.ts';

const E = '\u001b';
/** Asciicasts, version 2: `script` with the sizes of the terminal and the names of the steps */
const folder = join(import.meta.dirname, '../../vectors/terminal');
const header = z.object({ width: z.number(), height: z.number(), title: z.string() });
const event = z.tuple([z.number(), z.enum(['o', 'm', 'r']), z.string()]);

interface Size {
  readonly cols: number;
  readonly rows: number;
}

interface Step {
  readonly name: string;
  readonly bytes: Buffer;
  readonly size: Size;
}

interface Recording {
  readonly name: string;
  /** The size the terminal had first */
  readonly size: Size;
  readonly steps: readonly Step[];
}

function readRecording(file: string): Recording {
  const [first = '', ...lines] = readFileSync(join(folder, file), 'utf8').trimEnd().split('\n');
  const { title, width, height } = header.parse(JSON.parse(first));
  const atFirst: Size = { cols: width, rows: height };
  let size = atFirst;
  let name = '';
  const steps: Step[] = [];
  for (const line of lines) {
    const [, kind, data] = event.parse(JSON.parse(line));
    const [cols = 0, rows = 0] = data.split('x').map(Number);
    if (kind === 'r') size = { cols, rows };
    else if (kind === 'm') name = data;
    else steps.push({ name, bytes: Buffer.from(data), size });
  }
  return { name: title, size: atFirst, steps };
}

const recordings = readdirSync(folder).map(readRecording);

/** A terminal that says all that can be told of it, and that remembers what reached beyond its screen. */
class Watched {
  readonly #terminal: InstanceType<typeof headless.Terminal>;
  readonly #addon = new serializeAddon.SerializeAddon();
  readonly #modes = new Map<string, string>();
  /** What it did beside its screen, and what it answered */
  readonly heard: string[] = [];

  constructor(size: Size) {
    this.#terminal = new headless.Terminal({ ...size, allowProposedApi: true, windowOptions: { pushTitle: true } });
    this.#terminal.loadAddon(this.#addon);
    this.#terminal.onData((answer) => this.heard.push(answer));
    this.#terminal.onTitleChange((title) => this.heard.push(title));
    const { parser } = this.#terminal;
    for (const number of [0, 1, 2, 4, 7, 9, 10, 11, 12, 52, 104, 110, 111, 112, 133, 777, 1337])
      parser.registerOscHandler(number, (text) => this.heard.push(`${number};${text}`) === 0);
    for (const final of 'hl')
      parser.registerCsiHandler({ prefix: '?', final }, (modes) => {
        for (const mode of modes) this.#modes.set(String(mode), final);
        return false;
      });
    parser.registerCsiHandler({ intermediates: ' ', final: 'q' }, ([form]) => {
      this.#modes.set('cursor', String(form));
      return false;
    });
  }

  async take(size: Size, pieces: readonly string[] | readonly Uint8Array[]): Promise<void> {
    this.#terminal.resize(size.cols, size.rows);
    for (const piece of pieces) this.#terminal.write(piece);
    await new Promise<void>((resolve) => this.#terminal.write('', resolve));
  }

  look() {
    const { active, normal } = this.#terminal.buffer;
    const modes = [...this.#modes].filter(([mode]) => mode !== '7727').sort(([a], [b]) => a.localeCompare(b));
    return {
      drawn: this.#addon.serialize(),
      cursor: [active.cursorX, active.cursorY],
      scrolled: [normal.baseY, active.baseY],
      screen: active.type,
      modes: { ...this.#terminal.modes },
      set: Object.fromEntries(modes),
    };
  }

  dispose(): void {
    this.#terminal.dispose();
  }
}

function pieces(bytes: Buffer, length: number): Buffer[] {
  const cut: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += length) cut.push(bytes.subarray(at, at + length));
  return cut;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const anyOrder = /\u001b(?:\[[0-?]*[ -/]*[@-~]|[\]P_^Xk][^\u0007\u001b]*(?:\u0007|\u001b\\)|[ -/]*[0-~])/g;

/** Each kind of order in a text, numbers left out where they only say where, how many or which colour. */
function ordersIn(text: string): Set<string> {
  return new Set(
    [...text.matchAll(anyOrder)].map(([order]) =>
      /^.\[[\d;:]*[ $]?[A-Za-z@`]$/.test(order) && !/[ctn]$/.test(order) ? order.replaceAll(/[\d;:]+/g, '#') : order,
    ),
  );
}

/** All that a terminal does not get of each, and nothing of it draws */
const titlesKept = [`${E}[22;0;0t`, `${E}[23;0;0t`];
const keptBack: Readonly<Record<string, readonly string[]>> = {
  htop: titlesKept,
  less: titlesKept,
  tmux: [
    ...titlesKept,
    // How keys are told; the terminal's name; a mode of one terminal; a title; the clipboard.
    `${E}[>4m`,
    `${E}[>q`,
    `${E}[?7727h`,
    `${E}[?7727l`,
    `${E}]0;env\u0007`,
    `${E}]52;;aGVsbG8=\u0007`,
    `${E}]52;c;aGVsbG8=\u0007`,
  ],
  vim: [
    ...'2332 2334 2569 2a37 436f 6b31 6b64 6b6c 6b72 6b75'.split(' ').map((asked) => `${E}P+q${asked}${E}\\`),
    // Nothing, to see which terminals show it.
    `${E}Pzz${E}\\`,
    `${E}[0%m`,
    ...titlesKept,
    ...['22;1', '22;2', '23;1', '23;2'].map((title) => `${E}[${title}t`),
    // How keys are told, and how they are told now.
    ...['>4;2', '>4;', '?4'].map((keys) => `${E}[${keys}m`),
    `${E}]10;?\u0007`,
    `${E}]11;?\u0007`,
    `${E}]2;Thanks for flying Vim\u0007`,
    `${E}]2;fox.py\u0007`,
  ],
};

describe.each(recordings)('$name', ({ name, size, steps }) => {
  it.each([1, 2, 3, 7, 61, 1021, Number.MAX_SAFE_INTEGER])(
    'looks the same after each step, in pieces of %i bytes',
    async (length) => {
      const filter = new TerminalFilter('screen');
      const [plain, shown] = [new Watched(size), new Watched(size)];
      for (const step of steps) {
        await plain.take(step.size, [step.bytes]);
        await shown.take(
          step.size,
          pieces(step.bytes, length).map((piece) => filter.push(piece)),
        );
        expect({ step: step.name, ...shown.look() }).toEqual({ step: step.name, ...plain.look() });
      }
      const { set: _, ...atLast } = shown.look();
      await shown.take(steps.at(-1)?.size ?? size, [filter.end()]);
      expect(shown.look()).toMatchObject(atLast);
      // The terminal does nothing beside its screen, and answers with numbers of its own: its kind, and where the cursor is.
      expect(shown.heard.filter((each) => !/^.\[[?>]?[\d;]+[cR]$/.test(each))).toEqual([]);
      plain.dispose();
      shown.dispose();
    },
  );

  it('leaves the terminal as it was, wherever the stream breaks off', async () => {
    const text = Buffer.concat(steps.map(({ bytes }) => bytes));
    for (let end = 1; end < text.length; end += 97) {
      const filter = new TerminalFilter('screen');
      const shown = new Watched(size);
      await shown.take(size, [filter.push(text.subarray(0, end)), filter.end(), `${E}[H${E}[Jx`]);
      const fresh = new Watched(size);
      await fresh.take(size, [`${E}[H${E}[Jx`]);
      const [{ set, ...left }, { set: _, ...wanted }] = [shown.look(), fresh.look()];
      expect({ end, ...left, scrolled: [] }).toEqual({ end, ...wanted, scrolled: [] });
      for (const [mode, state] of Object.entries(set)) {
        expect({ end, mode, state }).toEqual({ end, mode, state: { cursor: '0', '7': 'h', '25': 'h' }[mode] ?? 'l' });
      }
      shown.dispose();
      fresh.dispose();
    }
  });

  it('loses these orders and no others', () => {
    const text = Buffer.concat(steps.map(({ bytes }) => bytes));
    const passed = ordersIn(new TerminalFilter('screen').push(text));
    expect([...ordersIn(text.toString())].filter((order) => !passed.has(order)).sort()).toEqual(
      [...(keptBack[name] ?? [])].sort(),
    );
  });
});
