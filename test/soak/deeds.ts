// What the hostile guests were seen to do: a soak beside attacks that did not take place would show nothing.
import { attacks } from './hostile.ts';
import type { Journal } from './journal.ts';

export interface Deed {
  readonly name: string;
  readonly did: string;
  readonly isReal: boolean;
}

const manyProcesses = 100;
const manyConnections = 100;
const burntSeconds = 10;

export class Deeds {
  readonly #printed = new Map<string, number>();
  readonly #seconds = new Map<string, number>();
  #processes = 0;
  /** Of the host's server */
  connections = 0;

  readonly onProcesses = (attack: string, count: number): void => {
    if (attack === 'fork bomb') this.#processes = Math.max(this.#processes, count);
  };

  readonly onOutput = (attack: string, lines: readonly string[]): void => {
    this.#printed.set(attack, (this.#printed.get(attack) ?? 0) + lines.length);
  };

  /** Processor time so far of guests, by the name in their command line, `s` */
  see(seconds: ReadonlyMap<string, number>): void {
    for (const [name, value] of seconds) this.#seconds.set(name, Math.max(value, this.#seconds.get(name) ?? 0));
  }

  all({ calls }: Journal): Deed[] {
    const ofBomb = calls.filter(({ client }) => client === 'fork bomb');
    const refused = ofBomb.filter(({ code }) => code !== undefined).length;
    const full = this.#printed.get('disk filler') ?? 0;
    const turns = this.#printed.get('network flooder') ?? 0;
    const burnt = Math.max(0, ...this.#seconds.values());
    const found: Readonly<Record<string, Omit<Deed, 'name'>>> = {
      'fork bomb': {
        did: `${this.#processes} processes, ${refused} of ${ofBomb.length} calls refused`,
        isReal: refused > 0 || this.#processes >= manyProcesses,
      },
      'disk filler': { did: `its disk full ${full} times`, isReal: full > 0 },
      'CPU burner': { did: `${Math.round(burnt)} s of processor time of one guest`, isReal: burnt >= burntSeconds },
      'network flooder': {
        did: `${turns} floods, ${this.connections} connections to the host's server`,
        isReal: this.connections >= manyConnections,
      },
    };
    return attacks.map(({ name }) => ({ name, ...(found[name] ?? { did: 'nothing', isReal: false }) }));
  }
}
