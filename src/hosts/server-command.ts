// The one place that makes the command a chat host runs, and reads such a command back from a configuration.
import { basename, resolve } from 'node:path';
import { z } from 'zod';
import { type ServerOptions, serverOptionsSchema } from '../shared/server-options.ts';

/** How the program is started: everything before `mcp serve`. */
export type Launcher = readonly [program: string, ...rest: string[]];

export const npxLauncher: Launcher = ['npx', '-y', 'pyro-mcp'];

export interface KnownCommand {
  readonly launcher: readonly string[];
  readonly isNpx: boolean;
  readonly server: ServerOptions;
  /** Words that this version does not understand, each with what is wrong */
  readonly faults: readonly string[];
}

const fieldSchema = z.object({
  properties: z.record(z.string(), z.object({ type: z.string(), default: z.unknown().optional() })),
});
const pathFields: readonly string[] = ['project_path', 'allow_path'];

/** Options at their default are left out; paths are made absolute, since a host starts the server anywhere. */
export function serverCommand(launcher: Launcher, server: ServerOptions, folder: string): string[] {
  const words: string[] = [...launcher, 'mcp', 'serve'];
  for (const [field, { default: preset }] of Object.entries(fields())) {
    const value = Object.entries(server).find(([name]) => name === field)?.[1];
    if (value === undefined || value === preset || value === false) continue;
    const flag = `--${field.replaceAll('_', '-')}`;
    if (value === true) words.push(flag);
    else {
      for (const each of Array.isArray(value) ? value : [value]) {
        words.push(flag, pathFields.includes(field) ? resolve(folder, each) : each);
      }
    }
  }
  return words;
}

/** Undefined for a command that does not start a server of ours. */
export function readServerCommand(words: readonly string[]): KnownCommand | undefined {
  const at = words.findIndex((word, index) => word === 'mcp' && words[index + 1] === 'serve');
  const launcher = at < 0 ? words : words.slice(0, at);
  if (!launcher.some(isPyro)) return undefined;
  const { given, faults } = at < 0 ? { given: {}, faults: ['mcp serve is missing'] } : readFlags(words.slice(at + 2));
  const { server, rejected } = choose(given);
  return {
    launcher,
    isNpx: launcher.some((word) => /^(npx|pnpx|bunx)$/.test(basename(word))),
    server,
    faults: [...faults, ...rejected],
  };
}

/** The command, the package, or its bundle where no link leads to it. */
function isPyro(word: string): boolean {
  return /^pyro(-mcp)?(@.*)?$/.test(basename(word)) || word.endsWith('/pyro-mcp/dist/main.js');
}

function fields(): z.infer<typeof fieldSchema>['properties'] {
  return fieldSchema.parse(z.toJSONSchema(serverOptionsSchema, { io: 'input' })).properties;
}

function readFlags(words: readonly string[]): { given: Record<string, unknown>; faults: string[] } {
  const known = fields();
  const given: Record<string, unknown> = {};
  const faults: string[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? '';
    const [flag = '', inline] = splitFlag(word);
    const field = flag.slice(2).replaceAll('-', '_');
    const type = flag.startsWith('--') ? known[field]?.type : undefined;
    if (type === undefined) {
      faults.push(`${word} is not an option of this version`);
      // What follows an unknown option belongs to it.
      if (flag.startsWith('-') && inline === undefined && !isFlag(words[index + 1])) index++;
      continue;
    }
    if (type === 'boolean') {
      given[field] = true;
      continue;
    }
    const value = inline ?? words[++index];
    if (value === undefined) faults.push(`${flag} has no value`);
    else if (type === 'array') given[field] = [...listOf(given[field]), value];
    else given[field] = value;
  }
  return { given, faults };
}

function splitFlag(word: string): [flag: string, value: string | undefined] {
  const at = word.startsWith('--') ? word.indexOf('=') : -1;
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

function isFlag(word: string | undefined): boolean {
  return word === undefined || word.startsWith('-');
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Takes the options one by one, and leaves out those that do not go with the ones before. */
function choose(given: Readonly<Record<string, unknown>>): { server: ServerOptions; rejected: string[] } {
  const whole = serverOptionsSchema.safeParse(given);
  if (whole.success) return { server: whole.data, rejected: [] };
  let accepted: Record<string, unknown> = {};
  const rejected: string[] = [];
  // A policy comes before the hosts that need it.
  const order = Object.entries(given).sort(([one], [other]) => rank(one) - rank(other));
  for (const [field, value] of order) {
    const attempt = { ...accepted, [field]: value };
    const parsed = serverOptionsSchema.safeParse(attempt);
    if (parsed.success) accepted = attempt;
    else rejected.push(`--${field.replaceAll('_', '-')}: ${parsed.error.issues[0]?.message ?? 'does not fit'}`);
  }
  return { server: serverOptionsSchema.parse(accepted), rejected };
}

function rank(field: string): number {
  return field === 'allow' || field === 'repo_ref' ? 1 : 0;
}
