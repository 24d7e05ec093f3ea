// What programs of a guest write, as a terminal may have it: text and colours pass, orders to the terminal only where they are known to be harmless.
import { StringDecoder } from 'node:string_decoder';
import { lineOrders, type Orders, screenOrders } from './terminal-orders.ts';

/** `lines`: text with colours. `screen`: what full-screen programs need as well, for a terminal that the guest was given */
export type FilterKind = 'lines' | 'screen';

const esc = '\u001b';
/** Longest order that is looked at (all styles of a text may stand in one), and longest string that is waited for, `characters` */
const longestOrder = 256;
const longestLink = 4096;
const longestString = 65_536;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const telling = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;

type State = 'text' | 'escape' | 'escape-more' | 'order' | 'string' | 'string-escape';

/**
 * Takes bytes as they come, cut anywhere. The terminal gets whole orders or nothing of them, so that it never reads
 * anything else than was judged here; the states are those of a VT500 (vt100.net/emu/dec_ansi_parser).
 */
export class TerminalFilter {
  readonly #decoder = new StringDecoder('utf8');
  readonly #orders: Orders;
  #state: State = 'text';
  /** Of the order or string that is being read */
  #read = '';
  #stringLength = 0;
  /** `ESC ]`: a link, or one of those that stay away */
  #isCommand = false;

  constructor(kind: FilterKind) {
    this.#orders = kind === 'lines' ? lineOrders() : screenOrders();
  }

  push(bytes: Uint8Array): string {
    return this.#take(this.#decoder.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)));
  }

  /** What leaves the terminal as it was found; what is not whole stays away. */
  end(): string {
    this.#state = 'text';
    return this.#take(this.#decoder.end()) + this.#orders.undo();
  }

  #take(text: string): string {
    if (this.#state === 'text' && !telling.test(text)) return text;
    let shown = '';
    for (const sign of text) shown += this.#next(sign);
    return shown;
  }

  #next(sign: string): string {
    // Both end whatever is being read, everywhere.
    if (sign === '\u0018' || sign === '\u001a') return this.#done('');
    switch (this.#state) {
      case 'text':
        return this.#text(sign);
      case 'escape':
      case 'escape-more':
        return this.#escape(sign);
      case 'order':
        return this.#order(sign);
      case 'string':
        return this.#string(sign);
      case 'string-escape': {
        if (sign === '\\') return this.#endOfString();
        this.#begin('escape', '');
        return this.#escape(sign);
      }
    }
  }

  #text(sign: string): string {
    if (sign === esc) return this.#begin('escape', '');
    return telling.test(sign) ? this.#orders.control(sign) : sign;
  }

  #escape(sign: string): string {
    if (sign === esc) return this.#begin('escape', '');
    if (sign >= ' ' && sign <= '/') {
      return this.#read.length < 3 ? this.#begin('escape-more', this.#read + sign) : this.#done('');
    }
    if (this.#state === 'escape') {
      if (sign === '[') return this.#begin('order', '');
      // The last is the title of a window in tmux and screen.
      if (']PX^_k'.includes(sign)) {
        this.#isCommand = sign === ']';
        this.#stringLength = 0;
        return this.#begin('string', '');
      }
    }
    if (sign >= '0' && sign <= '~') return this.#done(this.#orders.escape(this.#read, sign));
    return this.#done('') + this.#text(sign);
  }

  #order(sign: string): string {
    if (sign === esc) return this.#begin('escape', '');
    if (sign >= '@' && sign <= '~') {
      return this.#done(this.#read.length > longestOrder ? '' : this.#orders.order(this.#read, sign));
    }
    if (sign >= ' ' && sign <= '?') {
      if (this.#read.length <= longestOrder) this.#read += sign;
      return '';
    }
    // Controls in between are left out; anything else is none of it.
    return telling.test(sign) ? '' : this.#done(sign);
  }

  #string(sign: string): string {
    if (sign === esc) return this.#begin('string-escape', this.#read);
    // The bell ends a command of the system, and is a part of any other string.
    if ((sign === '\u0007' && this.#isCommand) || sign === '\u009c') return this.#endOfString();
    this.#stringLength++;
    // One that never ends must not swallow all that comes.
    if (this.#stringLength > longestString) return this.#done('');
    if (this.#isCommand && this.#read.length <= longestLink) this.#read += sign;
    return '';
  }

  #endOfString(): string {
    return this.#done(this.#isCommand && this.#read.length <= longestLink ? this.#orders.link(this.#read) : '');
  }

  #begin(state: State, read: string): string {
    this.#state = state;
    this.#read = read;
    return '';
  }

  #done(shown: string): string {
    this.#begin('text', '');
    return shown;
  }
}
