// What pyro has to know of a chat host: where its configuration lies, what an entry looks like, and how the host itself is asked.
import type { HostName, HostScope } from '../shared/host-types.ts';

export type ConfigFormat = 'json' | 'jsonc' | 'toml';

/** A table of servers in a file. */
export interface ConfigPlace {
  readonly scope: HostScope;
  readonly path: string;
  readonly format: ConfigFormat;
  /** Path of the table in the file; the server's name comes below it */
  readonly table: readonly string[];
}

/** An entry as every host has it, whatever the words. */
export interface ServerEntry {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly isEnabled: boolean;
  /** Longest call, `ms`; the host's own limit when absent */
  readonly callTimeoutMs: number | undefined;
  /** Longest start, `ms` */
  readonly startTimeoutMs: number | undefined;
  /** Variables of its own environment that the host passes on; all when absent */
  readonly passedVariables: readonly string[] | undefined;
}

export interface EntryWish {
  readonly command: readonly string[];
  readonly isNpx: boolean;
  readonly isApproved: boolean;
}

/** What the host says of the entry when it is asked. */
export interface HostVerdict {
  readonly status: 'ok' | 'warn' | 'fail';
  readonly text: string;
}

export interface HostAdapter {
  readonly name: HostName;
  readonly title: string;
  readonly program: string;
  readonly installCommand: string;
  readonly defaultScope: HostScope;
  /** The one that wins first */
  readonly places: (folder: string) => Promise<readonly ConfigPlace[]>;
  readonly readEntry: (raw: unknown) => ServerEntry | undefined;
  /** Fields of the canonical entry; undefined ones have no place in it. All others stay. */
  readonly fields: (wish: EntryWish, raw: unknown) => Readonly<Record<string, unknown>>;
  /** Arguments of the host's own program that add an entry if there is none */
  readonly addArguments: ((command: readonly string[], scope: HostScope) => string[]) | undefined;
  /** Command that takes an entry of this name away */
  readonly removeCommand: (name: string, place: ConfigPlace) => string;
  readonly connectCommand: string;
  /** Arguments that make the host report on the entry */
  readonly verifyArguments: readonly string[];
  readonly judge: (answer: { exitCode: number; stdout: string; stderr: string }, entry: ServerEntry) => HostVerdict;
  /** True when the project's settings switch the entry off */
  readonly isSwitchedOff?: (document: unknown, folder: string) => boolean;
}

export const serverName = 'pyro';

/** No call of the server takes longer than 40 s of its own accord; below this a host cuts off work that is fine. */
export const leastCallTimeoutMs = 45_000;
