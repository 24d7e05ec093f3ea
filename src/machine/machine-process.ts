// A QEMU process as the rest sees it, whoever started it, and the error for one that did not bring its guest up.
import { PyroError } from '../shared/errors.ts';

/** Most of a guest's console that is kept, `characters` */
export const keptConsole = 64 * 1024;

export interface MachineProcess {
  readonly pid: number | undefined;
  readonly hasEnded: boolean;
  /** Settles when the process has ended */
  readonly ended: Promise<void>;
  /** Console text that came another way than by a pipe of ours */
  addConsole(text: string): void;
  /** What of the guest's console is kept, as it came */
  readonly console: string;
  /** Last lines of the guest's console and of QEMU's own messages */
  lastWords(): string;
  /** Ends it at once and waits for the end */
  kill(): Promise<void>;
}

/** Error for a guest that did not come up, with its last words. */
export function bootError(process: MachineProcess, why: string, cause?: unknown): PyroError {
  const words = process.lastWords();
  return new PyroError('guest_boot_failed', `${why}${words === '' ? '' : `; its last words:\n${words}`}`, {
    hint: 'run pyro doctor; with --cold the guest boots without its template',
    cause,
  });
}

/** The last lines of texts that a guest wrote: no control character reaches a terminal. */
export function printableTail(text: string, lines: number): string[] {
  return text
    .split('\n')
    .slice(-lines)
    .map((line) => printable(line).trimEnd())
    .filter((line) => line !== '');
}

function printable(line: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: removing them is the purpose
  return line.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '').replace(/[\u0000-\u001f\u007f-\u009f]/g, '');
}
