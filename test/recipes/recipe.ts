// What a recipe is: a page of docs/use-cases, a project to work on, and steps with what must come out of them.
import type { Structure } from './session.ts';

export interface HostResult {
  readonly exitCode: number | null;
  /** Both streams, as a terminal shows them */
  readonly output: string;
}

export interface Stage {
  /** Checkout on the host that the server takes as its project */
  readonly project: string;
  /** Makes a workspace that belongs to this run by name and label, and gives the whole result */
  readonly create: (name: string, labels?: Readonly<Record<string, string>>) => Promise<Structure>;
  /** Structured result of a tool; a failed call throws its words */
  readonly call: (tool: string, args: Structure) => Promise<Structure>;
  /** Error code of a call that has to be refused */
  readonly refused: (tool: string, args: Structure) => Promise<string>;
  /** A shell line in the checkout on the host, as the person there types it */
  readonly onHost: (line: string) => Promise<HostResult>;
  /** A pattern is looked for, an object may have more fields, everything else is the same or the run fails */
  readonly check: (words: string, actual: unknown, expected: unknown) => void;
}

export interface Recipe {
  readonly name: string;
  /** File of docs/use-cases, which names the prompt and the server */
  readonly page: string;
  readonly files: Readonly<Record<string, string>>;
  /** Written after the commit */
  readonly uncommitted?: Readonly<Record<string, string>>;
  readonly run: (stage: Stage) => Promise<void>;
}

/** Text that a later step of the recipe needs. */
export function textIn(structure: Structure, field: string): string {
  const value = structure[field];
  if (typeof value !== 'string') throw new Error(`no text ${field} in ${JSON.stringify(structure).slice(0, 200)}`);
  return value;
}
