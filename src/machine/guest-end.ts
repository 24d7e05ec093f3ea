// How a guest ended: by what QEMU said last, and by the last words on the guest's console.
import { waitForAny } from '../shared/waiting.ts';
import { type MachineProcess, printableTail } from './machine-process.ts';
import type { Qmp, QmpEvent } from './qmp.ts';

export interface GuestEnd {
  /** `panic` and `killed` came over it; `power_off` and `reboot` are what something in the guest wanted */
  readonly cause: 'panic' | 'reboot' | 'power_off' | 'killed';
  /** A few words for people */
  readonly text: string;
}

/** How long what an ended QEMU has said last is waited for, `ms` */
const lastWordsMs = 500;
/** Longest piece of a guest's own words that is shown, `characters` */
const shownCharacters = 160;
/** How far back on the console a panic is looked for, `lines` */
const lookedLines = 200;

/** Settles when QEMU has ended; what it said before is read first. */
export async function endOf(guest: {
  readonly process: Pick<MachineProcess, 'ended' | 'console'>;
  readonly qmp: Pick<Qmp, 'listen' | 'closed'>;
  /** Its console, where it does not come by a pipe */
  readonly console: { readonly closed: Promise<void> } | undefined;
}): Promise<GuestEnd> {
  const { process, qmp, console } = guest;
  let reason: string | undefined;
  qmp.listen((event) => {
    reason = endEvent(event) ?? reason;
  });
  await process.ended;
  await waitForAny([Promise.all([qmp.closed, console?.closed])], lastWordsMs);
  return describeEnd(reason, process.console);
}

/** QEMU's last event of an end; undefined for one that was killed, which says nothing. */
export function endEvent({ event, data }: QmpEvent): string | undefined {
  if (event === 'GUEST_PANICKED') return 'guest-panic';
  if (event !== 'SHUTDOWN' && event !== 'RESET') return undefined;
  return typeof data['reason'] === 'string' ? data['reason'] : 'unknown';
}

export function describeEnd(reason: string | undefined, console: string): GuestEnd {
  // A kernel that panics resets the machine, as a reboot does; only its words tell them apart.
  const words = panicWords(console);
  if (reason === 'guest-panic' || (reason === 'guest-reset' && words !== undefined)) {
    return { cause: 'panic', text: `its kernel panicked${words === undefined ? '' : `: ${words}`}` };
  }
  if (reason === 'guest-reset') return { cause: 'reboot', text: 'something in it rebooted it, which ends it' };
  if (reason === 'guest-shutdown') return { cause: 'power_off', text: 'something in it switched it off' };
  return { cause: 'killed', text: 'its QEMU process was killed or has failed' };
}

function panicWords(console: string): string | undefined {
  const mark = 'Kernel panic - not syncing: ';
  const line = printableTail(console, lookedLines).findLast((each) => each.includes(mark));
  return line?.slice(line.indexOf(mark) + mark.length).slice(0, shownCharacters);
}
