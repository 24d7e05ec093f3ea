// Tests of the terminal without a window: text of a stream, and the screen that it draws.
import { describe, expect, it, vi } from 'vitest';
import { EmulatedScreen, plainText } from '../../../../src/engine/output/terminal-emulator.ts';

const size = { cols: 40, rows: 6 };
const text = (stream: string, most = 100_000): Promise<string> => plainText(Buffer.from(stream), size, most);

describe('plain text', () => {
  it.each([
    ['keeps lines and their end', 'a\r\nb\r\n', 'a\nb\n'],
    ['keeps a prompt without one', 'a\r\n$ ', 'a\n$ '],
    ['has no colours', '\u001b[1;31mred\u001b[0m and \u001b[38;5;12mblue\u001b[m', 'red and blue'],
    ['has what overwrote the rest', 'loading 10%\rloading 99%\r\ndone', 'loading 99%\ndone'],
    ['knows backspace', 'abx\bc', 'abc'],
    ['knows erasing to the end of the line', 'abcdef\r\u001b[Kxy', 'xy'],
    ['joins lines that the width broke', `${'x'.repeat(100)}\r\nend`, `${'x'.repeat(100)}\nend`],
    ['has no titles', '\u001b]0;title\u0007text', 'text'],
    ['shows wide characters', '日本\r\nä', '日本\nä'],
    [
      'has the screen of a full-screen program',
      'before\r\n\u001b[?1049h\u001b[2J\u001b[2;3Hmenu',
      'before\n\n\n  menu',
    ],
    ['is empty for nothing', '', ''],
  ])('%s', async (_name, stream, expected) => {
    expect(await text(stream)).toBe(expected);
  });

  it('has every line, however many have left the screen', async () => {
    const lines = Array.from({ length: 20_000 }, (_, index) => `line ${index}`);
    expect(await text(lines.join('\r\n'), 1_000_000)).toBe(lines.join('\n'));
  });

  it('does not grow beyond what was asked for', async () => {
    expect((await text('\u001b[999;40Hx\r\n'.repeat(5000), 1000)).length).toBe(1000);
  });
});

describe('a screen', () => {
  it('is fed in pieces, and drawn anew on another', async () => {
    const screen = new EmulatedScreen(size);
    const stream = Buffer.from('one\r\ntwo \u001b[31mré\u001b[0md\r\n\u001b[4;5Hhere');
    for (const byte of stream) await screen.feed(Buffer.from([byte]));
    const look = screen.look();
    expect(look).toEqual({
      lines: ['one', 'two réd', '', '    here'],
      cursorRow: 3,
      cursorCol: 8,
      isAlternate: false,
    });
    const copy = new EmulatedScreen(size);
    await copy.feed(Buffer.from(screen.redraw()));
    expect(copy.look()).toEqual(look);
  });

  it('larger than any window is drawn anew as its text alone', async () => {
    const large = { cols: 1000, rows: 1000 };
    const screen = new EmulatedScreen(large);
    const row = Array.from({ length: 1000 }, (_, col) => `\u001b[38;5;${col % 256}m${col % 10}`).join('');
    await screen.feed(Buffer.from(`${row}\r\nnext\u001b[7;3H`));
    const drawn = screen.redraw();
    expect(drawn.length).toBeLessThan(1100);
    const copy = new EmulatedScreen(large);
    await copy.feed(Buffer.from(drawn));
    expect(copy.look()).toEqual(screen.look());
  });

  it('keeps its content when it is resized', async () => {
    const screen = new EmulatedScreen(size);
    await screen.feed(Buffer.from('abc'));
    screen.resize({ cols: 10, rows: 3 });
    expect(screen.look().lines).toEqual(['abc']);
  });
});

it('says nothing of what it cannot read, however often a guest sends it', async () => {
  const said = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  try {
    expect(await text('\u001b[5\u202eA\u001b[1\u202eB\r\nend')).toContain('end');
    await new EmulatedScreen(size).feed(Buffer.from('\u001b[5\u202eA'));
    expect(said).not.toHaveBeenCalled();
  } finally {
    said.mockRestore();
  }
});

it.each([...'@ILMPSTXZbABCDEFGd'])('is not held up by a count of four billion before %s', async (final) => {
  const stream = `before\u001b[4294967295${final}\r\nend`;
  await new EmulatedScreen(size).feed(Buffer.from(stream));
  expect(await text(stream)).toContain('end');
});

describe('a stream that has the whole screen cleared again and again', () => {
  const largest = { cols: 1000, rows: 1000 };

  it.each([
    ['erased', '\u001b[2J'],
    ['filled', '\u001b#8'],
    ['reset', '\u001bc'],
  ])('%s: is given up in its time, and others have their turn meanwhile', async (_name, sequence) => {
    const turns: number[] = [];
    const timer = setInterval(() => turns.push(process.cpuUsage().user), 5);
    try {
      const fed = new EmulatedScreen(largest, 400).feed(Buffer.from(sequence.repeat(30_000)));
      await expect(fed).rejects.toMatchObject({ code: 'work_too_large' });
    } finally {
      clearInterval(timer);
    }
    // Whole, this takes a minute and more in one turn.
    expect(turns.length).toBeGreaterThan(3);
  });
});
