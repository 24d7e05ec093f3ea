// What shell completion offers of what exists now: read from the files, so that no daemon is started for it.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { catalogue } from '../../environment/catalogue.ts';
import { openStore, readPointers } from '../../environment/store.ts';
import { visible } from '../../shared/visible.ts';
import { readJson } from '../../system/files.ts';
import { locatePaths } from '../../system/paths.ts';
import { findIn } from '../workspace/workspace-find.ts';
import { workspaceFiles } from '../workspace/workspace-record.ts';
import { seedsAround } from './origin.ts';

export interface KnownName {
  readonly name: string;
  /** What it is, in a few words */
  readonly about: string;
}

/** The part of a workspace record needed here, so that a record of another version still has a name */
const workspaceSchema = z.object({
  id: z.string(),
  name: z.string().nullable(),
  state: z.string(),
  environment: z.string(),
  seed: z.object({ seed_path: z.string().nullable() }),
  snapshots: z.array(z.object({ name: z.string() })),
});
const commandSchema = z.object({ command: z.string(), ended_at: z.number().nullable() });
type FoundWorkspace = z.infer<typeof workspaceSchema>;

/** How many of the newest commands are offered */
const mostCommands = 50;
/** How much of a command is shown, `characters` */
const shownCharacters = 50;

/** Names of a kind; `given` are the words that stand before them, the first of which may name the workspace. */
export async function knownNames(kind: string, given: readonly string[], folder: string): Promise<KnownName[]> {
  if (kind === 'environment') return await environments();
  const all = await workspaces();
  if (kind === 'workspace') return all.flatMap(namesOf).filter(({ name }) => !given.includes(name));
  if (kind === 'place') return all.flatMap(namesOf).map(({ name, about }) => ({ name: `${name}:`, about }));
  const one = await workspaceOf(all, given[0], folder);
  if (one === undefined) return [];
  const files = workspaceFiles(join(workspacesFolder(), one.id));
  if (kind === 'sequence') return await commands(files.commands);
  if (kind === 'service') return (await namesIn(files.services)).map((name) => ({ name, about: 'service' }));
  if (kind === 'shell') return (await namesIn(files.shells)).map((name) => ({ name, about: 'shell' }));
  return kind === 'snapshot' ? one.snapshots.map(({ name }) => ({ name, about: 'snapshot' })) : [];
}

function workspacesFolder(): string {
  return join(locatePaths().state, 'workspaces');
}

async function workspaces(): Promise<FoundWorkspace[]> {
  const records = (await namesIn(workspacesFolder())).map((id) =>
    readJson(workspaceFiles(join(workspacesFolder(), id)).record, workspaceSchema).catch(() => undefined),
  );
  return (await Promise.all(records)).filter((each) => each !== undefined);
}

function namesOf({ id, name, state, environment, seed }: FoundWorkspace): KnownName[] {
  const about = `${state}, ${environment}${seed.seed_path === null ? '' : `, ${seed.seed_path}`}`;
  const byId = { name: id, about: name === null ? about : `${name}, ${about}` };
  return name === null ? [byId] : [{ name, about }, byId];
}

async function workspaceOf(
  all: readonly FoundWorkspace[],
  reference: string | undefined,
  folder: string,
): Promise<FoundWorkspace | undefined> {
  if (reference !== undefined) {
    try {
      const id = findIn(all, reference);
      return all.find((each) => each.id === id);
    } catch {
      // It is not a workspace but the argument after one that was left out.
    }
  }
  const isAround = await seedsAround(folder);
  const here = all.filter(({ seed }) => isAround(seed.seed_path));
  return here.length === 1 ? here[0] : undefined;
}

async function commands(folder: string): Promise<KnownName[]> {
  const sequences = (await namesIn(folder)).flatMap((name) => /^(\d{6,9})\.json$/.exec(name)?.[1] ?? []);
  const newest = sequences.sort((a, b) => Number(b) - Number(a)).slice(0, mostCommands);
  const found = newest.map(async (sequence): Promise<KnownName[]> => {
    const record = await readJson(join(folder, `${sequence}.json`), commandSchema).catch(() => undefined);
    if (record === undefined) return [];
    const about = `${record.ended_at === null ? 'running: ' : ''}${record.command.slice(0, shownCharacters)}`;
    return [{ name: String(Number(sequence)), about }];
  });
  return (await Promise.all(found)).flat();
}

async function environments(): Promise<KnownName[]> {
  const cached = (await readPointers(openStore(locatePaths().cache))).map(({ name }) => name);
  const known = catalogue.map(({ name, description }) => ({
    name,
    about: cached.includes(name) ? `cached: ${description}` : description,
  }));
  const others = cached.filter((name) => catalogue.every((entry) => entry.name !== name));
  return [...known, ...others.map((name) => ({ name, about: 'cached' }))];
}

async function namesIn(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => []);
}

/** A line for each: the name, a tab, what it is. */
export function nameLines(names: readonly KnownName[]): string {
  return names.map(({ name, about }) => `${visible(name)}\t${visible(about)}\n`).join('');
}
