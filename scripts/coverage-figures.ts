// What the tests cover, read from vitest's summary and Go's profile, beside a floor that only rises.
import { z } from 'zod';

const percent = z.number().min(0).max(100);
/** Lines, and statements of the guest's agent, that tests have run, `percent` */
export const figuresSchema = z.strictObject({ host: percent, engine: percent, guest: percent });
export type Figures = z.infer<typeof figuresSchema>;

const lines = z.object({ total: z.number(), covered: z.number() });
const summarySchema = z.record(z.string(), z.object({ lines }));

/** A floor stays so far below what was measured: what a test of timing covers differs from run to run, `percent` */
const slack = 0.5;

/** Figures of a report of vitest (json-summary) and of a profile of Go. */
export function figuresOf(summary: unknown, profile: string): Figures {
  const { total, ...files } = summarySchema.parse(summary);
  if (total === undefined) throw new Error('the summary of coverage has no total');
  const engine = Object.entries(files).filter(([path]) => path.includes('/src/engine/'));
  return { host: share([total]), engine: share(engine.map(([, file]) => file)), guest: shareOfProfile(profile) };
}

/** Those that are below the floor, in words. */
export function belowFloor(figures: Figures, floor: Figures): string[] {
  return names
    .filter((name) => figures[name] < floor[name])
    .map((name) => `${name} is at ${figures[name]} %, and its floor at ${floor[name]} %`);
}

/** The floor that these figures permit; never lower than it was. */
export function raised(figures: Figures, floor: Figures): Figures {
  const rise = (name: keyof Figures): number => Math.max(floor[name], round(figures[name] - slack));
  return { host: rise('host'), engine: rise('engine'), guest: rise('guest') };
}

const names = ['host', 'engine', 'guest'] as const;

function share(files: readonly { readonly lines: z.infer<typeof lines> }[]): number {
  const sum = (of: 'total' | 'covered'): number => files.reduce((before, file) => before + file.lines[of], 0);
  return percentOf(sum('covered'), sum('total'));
}

/**
 * A line of a profile is a block: where it stands, its statements, and how often it ran. What starts QEMU is not the agent,
 * and is tried by tests of the host, as a process of its own.
 */
function shareOfProfile(profile: string): number {
  let [covered, total] = [0, 0];
  for (const [, statements, count] of profile.matchAll(/^(?!\S*\/cmd\/confine\/)\S+:\S+ (\d+) (\d+)$/gm)) {
    total += Number(statements);
    if (count !== '0') covered += Number(statements);
  }
  return percentOf(covered, total);
}

function percentOf(part: number, whole: number): number {
  if (whole === 0) throw new Error('nothing was measured');
  return round((100 * part) / whole);
}

function round(value: number): number {
  return Math.floor(value * 10) / 10;
}
