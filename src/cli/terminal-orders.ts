// Which orders a terminal may have from a guest, and what undoes them. All that is not named here stays away: the clipboard, titles,
// queries that are answered with text of the guest's choice, files, graphics, windows, printing, other character sets, key tables.
const esc = '\u001b';

export interface Orders {
  /** A control character */
  readonly control: (sign: string) => string;
  /** `ESC`, signs in between, and the last one */
  readonly escape: (between: string, last: string) => string;
  /** `ESC [`, parameters, and the last sign */
  readonly order: (parameters: string, last: string) => string;
  /** The text of `ESC ]`, of which links alone may pass */
  readonly link: (text: string) => string;
  /** What takes back all that still holds */
  readonly undo: () => string;
}

/** Colours, and moves within the line, which bars of progress make. */
export function lineOrders(): Orders {
  const style = new Style();
  return {
    control: (sign) => (sign === '\r' || sign === '\b' ? sign : ''),
    escape: () => '',
    order: (parameters, last) => {
      if (last === 'm') return style.take(parameters);
      return 'KGCD'.includes(last) && /^\d{0,4}$/.test(parameters) ? `${esc}[${parameters}${last}` : '';
    },
    link: (text) => style.link(text),
    undo: () => style.undo(),
  };
}

/** Moves, erasing, scrolling, insertion and deletion on the screen that the guest was given */
const screenMoves = '@ABCDEFGHIJKLMPSTXZ`abdefgrsu';
/** What a terminal does as often as it says, some for minutes: no oftener than a screen may have lines or columns */
const mostTimes = new Map([
  ...[...'LMSTe'].map((last) => [last, 999] as const),
  ...[...'@IPXZab'].map((last) => [last, 9999] as const),
]);
/** Tabs where every terminal has them first; the cursor stays within a narrower screen, whose last column is one anyway */
const usualTabs = `${esc}7${esc}[3g${Array.from({ length: 64 }, (_, at) => `${esc}[${8 * at + 9}G${esc}H`).join('')}${esc}8`;
/** Rectangles of the screen filled, copied, emptied; tmux fills so where the terminal says it is a VT420 */
const rectangles: ReadonlySet<string> = new Set(['$x', '$v', '$z', '${']);
/** Private modes: keys, wrapping, the cursor, a second screen, the mouse, pasting, updates at once */
const screenModes: ReadonlySet<string> = new Set(
  '1 5 6 7 9 12 25 47 66 69 1000 1002 1003 1004 1005 1006 1007 1015 1016 1034 1047 1048 1049 2004 2026'.split(' '),
);
const onByDefault: ReadonlySet<string> = new Set(['7', '25']);
/** Answered with numbers of the terminal's own: where the cursor is, and what it can do. Shells and editors wait for the answers */
const harmlessQueries: ReadonlySet<string> = new Set(['5n', '6n', 'c', '0c', '>c', '>0c']);

/** What full-screen programs need: vim, less, tmux, top, and shells. */
export function screenOrders(): Orders {
  const style = new Style();
  const modes = new Map<string, boolean>();
  const others = new Set<string>();
  const setModes = (list: string, last: string): string => {
    const allowed = list.split(';').filter((mode) => screenModes.has(mode));
    for (const mode of allowed) modes.set(mode, last === 'h');
    return allowed.length === 0 ? '' : `${esc}[?${allowed.join(';')}${last}`;
  };
  const order = (parameters: string, last: string): string => {
    if (last === 'm') return style.take(parameters);
    if ((last === 'h' || last === 'l') && parameters.startsWith('?')) return setModes(parameters.slice(1), last);
    const whole = `${esc}[${parameters}${last}`;
    if (harmlessQueries.has(`${parameters}${last}`)) return whole;
    // The form of a cursor, and a soft reset.
    if (/^\d? $/.test(parameters) && last === 'q') return noted('cursor', whole);
    if (parameters === '!' && last === 'p') return whole;
    if (parameters === '4' && (last === 'h' || last === 'l')) return noted('insert', whole);
    if (rectangles.has(`${parameters.slice(-1)}${last}`) && /^[\d;]*\$$/.test(parameters)) return whole;
    if (/^\?\d?$/.test(parameters) && 'JK'.includes(last)) return whole;
    if (!screenMoves.includes(last) || !/^[\d;]*$/.test(parameters)) return '';
    const most = mostTimes.get(last);
    // Five numbers after T follow the mouse and wait for it.
    if (most !== undefined && parameters.includes(';')) return '';
    if (most !== undefined && Number(parameters) > most) return `${esc}[${most}${last}`;
    if (last === 'g') return noted('tabs', whole);
    return last === 'r' ? noted('region', whole) : whole;
  };
  const noted = (what: string, whole: string): string => {
    others.add(what);
    return whole;
  };
  return {
    control: (sign) => {
      if (sign === '\u000e') others.add('signs');
      return '\r\b\u0007\u000b\u000c\u000e\u000f'.includes(sign) ? sign : '';
    },
    escape: (between, last) => {
      // Lines and corners, as dialogs draw them.
      if (/^[()]$/.test(between) && (last === '0' || last === 'B')) return noted('signs', `${esc}${between}${last}`);
      if (between !== '' || !'78=>DEHMc'.includes(last)) return '';
      if (last === 'H') return noted('tabs', `${esc}H`);
      return last === '=' ? noted('keypad', `${esc}=`) : `${esc}${last}`;
    },
    order,
    link: (text) => style.link(text),
    undo: () => {
      const left = [...modes].filter(([mode, isOn]) => isOn !== onByDefault.has(mode)).map(([mode]) => mode);
      const undone = [
        ...left.map((mode) => `${esc}[?${mode}${onByDefault.has(mode) ? 'h' : 'l'}`),
        ...(others.has('region') ? [`${esc}7${esc}[r${esc}8`] : []),
        ...(others.has('tabs') ? [usualTabs] : []),
        ...(others.has('insert') ? [`${esc}[4l`] : []),
        ...(others.has('signs') ? [`\u000f${esc}(B${esc})B`] : []),
        ...(others.has('keypad') ? [`${esc}>`] : []),
        ...(others.has('cursor') ? [`${esc}[0 q`] : []),
      ];
      modes.clear();
      others.clear();
      return undone.join('') + style.undo();
    },
  };
}

/** Colours and links. */
class Style {
  #isColoured = false;
  #isLinked = false;

  take(parameters: string): string {
    if (!/^[\d;:]*$/.test(parameters)) return '';
    this.#isColoured = !/^(?:.*;)?0*$/.test(parameters);
    return `${esc}[${parameters}m`;
  }

  /** `8;parameters;address`: where a click leads, which is the web or nothing. */
  link(text: string): string {
    const [, parameters, address] = /^8;([\w=:.-]*);(|https?:\/\/[\u0021-\u007e]+)$/.exec(text) ?? [];
    if (parameters === undefined || address === undefined) return '';
    this.#isLinked = address !== '';
    return `${esc}]8;${parameters};${address}${esc}\\`;
  }

  undo(): string {
    const undone = `${this.#isLinked ? `${esc}]8;;${esc}\\` : ''}${this.#isColoured ? `${esc}[0m` : ''}`;
    this.#isLinked = false;
    this.#isColoured = false;
    return undone;
  }
}
