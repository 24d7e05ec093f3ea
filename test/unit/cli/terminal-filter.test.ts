// What a terminal gets of a program in a guest: text and colours, and no order that reaches beyond the screen, however it is cut.
import headless from '@xterm/headless';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FilterKind, TerminalFilter } from '../../../src/cli/terminal-filter.ts';

function through(kind: FilterKind, bytes: Buffer, cuts: readonly number[] = []): string {
  const filter = new TerminalFilter(kind);
  const places = [0, ...[...cuts].sort((a, b) => a - b).filter((cut) => cut < bytes.length), bytes.length];
  return (
    places
      .slice(1)
      .map((end, index) => filter.push(bytes.subarray(places[index], end)))
      .join('') + filter.end()
  );
}

const E = '\u001b';
const kinds: readonly FilterKind[] = ['lines', 'screen'];

/** Orders that no guest gives, by what they would do. */
const dangerous: readonly (readonly [string, string])[] = [
  ['the clipboard', `${E}]52;c;aGVsbG8=\u0007`],
  ['the clipboard, ended otherwise', `${E}]52;c;aGVsbG8=${E}\\`],
  ['a title', `${E}]0;PWNED\u0007`],
  ['a title of a window', `${E}]2;PWNED${E}\\`],
  ['a title by a screen of old', `${E}kPWNED${E}\\`],
  ['the title asked for', `${E}[21t`],
  ['a window moved', `${E}[3;0;0t`],
  ['titles kept', `${E}[22;0t`],
  ['a setting asked for', `${E}P$q"p${E}\\`],
  ['a capability asked for', `${E}P+q544e${E}\\`],
  ['a passage through tmux', `${E}Ptmux;${E}${E}]52;c;eA==\u0007${E}\\`],
  ['keys programmed', `${E}P1;1|17/6c73${E}\\`],
  ['a picture', `${E}Pq#0;2;0;0;0~${E}\\`],
  ['a picture from a file', `${E}_Gt=f,a=T;L2V0Yy9wYXNzd2Q=${E}\\`],
  ['a file', `${E}]1337;File=name=eA==:eA==\u0007`],
  ['a note on the screen', `${E}]9;hello\u0007${E}]777;notify;a;b\u0007${E}]99;;x${E}\\`],
  ['a colour asked for', `${E}]11;?\u0007`],
  ['colours of all texts', `${E}]10;#000000\u0007${E}]4;0;#fff\u0007`],
  ['a link to a file', `${E}]8;;file:///etc/passwd${E}\\`],
  ['a link to a program', `${E}]8;;vscode://x${E}\\`],
  ['a link with a line end', `${E}]8;;http://a\nb${E}\\`],
  ['the terminal asked for its name', `${E}[>q`],
  ['keys asked for, and changed', `${E}[?u${E}[>1u${E}[>4;2m`],
  ['the sum of a screen', `${E}[1;1;1;1;80;24*y`],
  ['a mode asked for', `${E}[?1$p${E}[?25$p`],
  ['a style of a rectangle', `${E}[1;1;9;9;7$r`],
  ['printing', `${E}[5i${E}[?4i`],
  ['the answer of old', '\u0005'],
  ['other signs', `${E}(A${E}%@${E}n${E}|`],
  ['an identity asked for', `${E}Z`],
  ['a C1 control', '\u009d0;PWNED\u009c\u009b21t'],
];

describe.each(kinds)('%s', (kind) => {
  it.each(dangerous)('keep back: %s', (_what, text) => {
    const shown = through(kind, Buffer.from(`a${text}b`));
    expect(shown.replaceAll(/\P{Cc}/gu, '')).toBe('');
    expect(shown.startsWith('a')).toBe(true);
    expect(shown.endsWith('b')).toBe(true);
  });

  it.each([
    ['colours', `${E}[1;31mred${E}[0m ${E}[38;5;9mx${E}[38:2::1:2:3my${E}[m`],
    ['text of all kinds', 'plain é 名 😀 \u202e\tx\r\nline\rline\b'],
    ['moves within the line', `${E}[K${E}[2K${E}[10G${E}[3C`],
    ['links into the web', `${E}]8;id=1;https://example.org/a?b=c${E}\\there${E}]8;;${E}\\`],
  ])('pass on: %s', (_what, text) => {
    expect(through(kind, Buffer.from(text))).toBe(text);
  });

  it.each([
    ['a title as tmux and screen take it', `${E}ktitle${E}\\`],
    ['a bell in a string that no bell ends', `${E}P1;2|a\u0007b${E}\\${E}_c\u0007d${E}\\`],
    ['what is cut by a new order', `${E}]0;title${E}[m`],
  ])('show nothing of %s', (_what, text) => {
    expect(through(kind, Buffer.from(`a${text}b`)).replace(`${E}[m`, '')).toBe('ab');
  });

  it('pass on all styles of a text in one order', () => {
    const style = `${E}[0;1;2;3;4:3;5;7;8;9;21;53;38;2;255;255;255;48;2;255;255;255;58:2::255:255:255m`;
    expect(through(kind, Buffer.from(`${style}x${E}[m`))).toBe(`${style}x${E}[m`);
  });

  it('leave a terminal as it was: colours, links', () => {
    expect(through(kind, Buffer.from(`${E}[31mred`))).toBe(`${E}[31mred${E}[0m`);
    expect(through(kind, Buffer.from(`${E}]8;;http://a${E}\\x`))).toContain(`x${E}]8;;${E}\\`);
    expect(through(kind, Buffer.from(`${E}[31mred${E}[39;0m`))).toBe(`${E}[31mred${E}[39;0m`);
  });

  it('are the same wherever the bytes are cut, change nothing the second time, and give a terminal nothing to answer or to keep', async () => {
    const piece = fc.oneof(
      fc.constantFrom(...dangerous.map(([, text]) => text)),
      fc.constantFrom(
        E,
        `${E}[`,
        `${E}]`,
        `${E}P`,
        `${E}\\`,
        '\u0007',
        '\u0018',
        '\u009b',
        ';',
        '52',
        '?',
        '21t',
        '31m',
        '8;;http://a',
        'h',
        '1049',
        'A',
      ),
      fc.string({ maxLength: 6 }),
      fc.stringMatching(/^[\d;?>!$ "']{0,6}[@-~]$/).map((text) => `${E}[${text}`),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { maxLength: 12 }),
        fc.array(fc.uint8Array({ maxLength: 4 }), { maxLength: 2 }),
        fc.array(fc.nat(200), { maxLength: 10 }),
        async (pieces, rubbish, cuts) => {
          const bytes = Buffer.concat([...pieces.map((each) => Buffer.from(each)), ...rubbish]);
          const shown = through(kind, bytes);
          expect(through(kind, bytes, cuts)).toBe(shown);
          const again = new TerminalFilter(kind);
          expect(again.push(Buffer.from(shown))).toBe(shown);
          const terminal = new headless.Terminal({ cols: 80, rows: 24, allowProposedApi: true });
          const heard: string[] = [];
          terminal.onTitleChange((title) => heard.push(title));
          for (const number of [0, 1, 2, 4, 9, 10, 11, 52, 777, 1337])
            terminal.parser.registerOscHandler(number, (text) => heard.push(text) > 0);
          terminal.onData((answer) => {
            // Where the cursor is and what the terminal can do, in numbers.
            if (kind === 'lines' || !/^\[[?>]?[\d;]*[cnR]$/.test(answer.slice(1))) heard.push(answer);
          });
          await new Promise<void>((resolve) => terminal.write(shown, resolve));
          terminal.dispose();
          expect(heard).toEqual([]);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('hold no memory for what never ends, and go on after it', () => {
    const filter = new TerminalFilter(kind);
    filter.push(Buffer.from(`${E}]52;c;`));
    let shown = '';
    for (let turn = 0; turn < 20; turn++) shown += filter.push(Buffer.alloc(10_000, 'x'));
    expect(shown.length).toBeGreaterThan(100_000);
    expect(filter.push(Buffer.from(`${E}[${'1'.repeat(100_000)}mb`))).toBe('b');
  });
});

describe('lines', () => {
  it.each([
    ['moves over other lines', `${E}[A${E}[5;5H${E}[2J${E}[3J${E}M`],
    ['another screen', `${E}[?1049h${E}[?25l`],
    ['other signs', `${E}(0\u000e`],
    ['the bell', '\u0007'],
    ['queries', `${E}[6n${E}[c${E}[>c`],
    ['a full reset', `${E}c`],
  ])('keep back %s', (_what, text) => {
    expect(through('lines', Buffer.from(`a${text}b`))).toBe('ab');
  });
});

describe('screen', () => {
  it('passes on what editors, pagers and tmux write', () => {
    const vim = `${E}[?1049h${E}[22;0;0t${E}[>4;2m${E}[?1h${E}=${E}[?2004h${E}[?1004h${E}[1;24r${E}[?12h${E}[?12l${E}[27m${E}[23m${E}[29m${E}[m${E}[H${E}[2J${E}[?25l${E}[24;1H"f" 1L${E}[2;1H~${E}[?25h${E}[6n`;
    expect(
      through('screen', Buffer.from(vim)).startsWith(vim.replace(`${E}[22;0;0t`, '').replace(`${E}[>4;2m`, '')),
    ).toBe(true);
    const dialog = `${E}(0lqqk${E}(B${E})0\u000ex\u000f${E}[4l${E}[10@${E}[3P${E}[2L${E}[M${E}7${E}8${E}M${E}D${E}[5 q${E}[!p${E}[?2026h${E}[?2026l`;
    expect(through('screen', Buffer.from(dialog)).startsWith(dialog)).toBe(true);
  });

  it('passes on rectangles that are filled, copied and emptied', () => {
    const rectangles = `${E}[32;1;1;15;32$x${E}[1;1;9;9;1;2;2;1$v${E}[1;1;9;9$z${E}[1;1;9;9\${`;
    expect(through('screen', Buffer.from(rectangles))).toBe(rectangles);
  });

  it.each([...'LMSTe@IPXZab'])('lets nobody keep the terminal busy with %s', (last) => {
    const most = 'LMSTe'.includes(last) ? 999 : 9999;
    const text = `${E}[${last}${E}[12${last}${E}[${most}${last}${E}[2000000000${last}${E}[1;2000000000${last}`;
    const wanted = `${E}[${last}${E}[12${last}${E}[${most}${last}${E}[${most}${last}`;
    expect(through('screen', Buffer.from(text))).toBe(wanted);
  });

  it('passes on the way to the last corner, however far', () => {
    expect(through('screen', Buffer.from(`${E}[32766;32766H${E}[6n`))).toBe(`${E}[32766;32766H${E}[6n`);
  });

  it.each([`${E}[3g`, `${E}[4G${E}H`, `${E}[9G${E}[g`, `${E}[5;9r${E}[4h${E}[3g`])(
    'puts the tabs back that %j has moved, and the cursor stays',
    async (text) => {
      const terminal = new headless.Terminal({ cols: 80, rows: 24, allowProposedApi: true });
      const { active } = terminal.buffer;
      const draw = (shown: string) => new Promise<void>((resolve) => terminal.write(shown, resolve));
      await draw(through('screen', Buffer.from(`${text}${E}[3;5Hx`)));
      expect([active.cursorX, active.cursorY]).toEqual([5, 2]);
      await draw('\r');
      const stops: number[] = [];
      for (let turn = 0; turn < 9; turn++) {
        await draw('\t');
        stops.push(active.cursorX);
      }
      expect(stops).toEqual([8, 16, 24, 32, 40, 48, 56, 64, 72]);
      terminal.dispose();
    },
  );

  it('takes back at the end what a program has left on, and nothing else', () => {
    expect(through('screen', Buffer.from(`${E}[?1049h${E}[?1000;1006h${E}[?25l${E}=${E}[4h`))).toBe(
      `${E}[?1049h${E}[?1000;1006h${E}[?25l${E}=${E}[4h${E}[?1049l${E}[?1000l${E}[?1006l${E}[?25h${E}[4l${E}>`,
    );
    expect(through('screen', Buffer.from(`${E}[?1049h${E}[?25l${E}[?1049l${E}[?25h`))).toBe(
      `${E}[?1049h${E}[?25l${E}[?1049l${E}[?25h`,
    );
    expect(through('screen', Buffer.from(`${E}[?3;1049;1001h`))).toBe(`${E}[?1049h${E}[?1049l`);
  });
});
