// What a user does with a workspace, as calls of the daemon that may be cut short anywhere: what each may leave of the files.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FaultHome } from './fault-home.ts';

export interface StoryPlace {
  readonly home: FaultHome;
  readonly id: string;
  /** Counts the tries: names and contents of each are its own */
  readonly turn: number;
}

export interface StoryStep {
  readonly operation: string;
  readonly input: (place: StoryPlace) => Readonly<Record<string, unknown>>;
  /** Contents that the files `one` and `two` may have afterwards */
  readonly allowed: (turn: number) => readonly string[];
  /** What does not hold of what it has put on the host */
  readonly look?: (place: StoryPlace) => readonly string[];
  /** State in which it begins, other than that of a started workspace */
  readonly begins?: 'stopped' | 'created';
}

const old = (turn: number): string => `old ${turn}`;
const fresh = (turn: number): string => `new ${turn}`;
const untouched = (turn: number): string[] => [`${old(turn)}|${old(turn)}`];
const both = (turn: number): string[] => [...untouched(turn), `${fresh(turn)}|${fresh(turn)}`];
const wherever = ({ id }: StoryPlace) => ({ workspace_id: id });

/** Puts both files there, and makes sure that they are on the disk. */
export function prepareFiles(turn: number): string {
  return `rm -f one two; echo ${old(turn)} | tee one > two; sync one two`;
}

export const showFiles = 'printf "%s|%s" "$(cat one 2>/dev/null || echo none)" "$(cat two 2>/dev/null || echo none)"';

function folderOf({ home, turn }: StoryPlace, name: string): string {
  const folder = home.on(`${name}-${turn}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const each of ['one', 'two']) writeFileSync(join(folder, each), `${fresh(turn)}\n`);
  return folder;
}

function patch({ turn }: StoryPlace): string {
  const change = `@@ -1 +1 @@\n-${old(turn)}\n+${fresh(turn)}\n`;
  return ['one', 'two']
    .map((name) => `diff --git a/${name} b/${name}\n--- a/${name}\n+++ b/${name}\n${change}`)
    .join('');
}

export const storySteps: readonly StoryStep[] = [
  {
    operation: 'workspace.create',
    input: (place) => ({ environment: 'debian:12', ttl_seconds: 0, seed_path: folderOf(place, 'seed') }),
    allowed: untouched,
  },
  {
    operation: 'workspace.exec',
    input: (place) => ({ ...wherever(place), command: 'seq 1 2000; echo told >&2' }),
    allowed: untouched,
  },
  {
    operation: 'workspace.file.write',
    input: (place) => ({ ...wherever(place), path: 'one', text: `${fresh(place.turn)}\n` }),
    allowed: (turn) => [...untouched(turn), `${fresh(turn)}|${old(turn)}`],
  },
  {
    operation: 'workspace.patch.apply',
    input: (place) => ({ ...wherever(place), patch: patch(place) }),
    allowed: both,
  },
  {
    operation: 'workspace.sync.push',
    input: (place) => ({ ...wherever(place), source_path: folderOf(place, 'push'), dest: '/workspace' }),
    allowed: both,
  },
  { operation: 'workspace.diff', input: wherever, allowed: untouched },
  { operation: 'workspace.summary', input: wherever, allowed: untouched },
  {
    operation: 'workspace.export',
    input: (place) => ({ ...wherever(place), path: '/workspace', output_path: place.home.on(`out-${place.turn}`) }),
    allowed: untouched,
  },
  {
    operation: 'workspace.export',
    input: (place) => ({
      ...wherever(place),
      path: '/workspace',
      format: 'tar',
      output_path: place.home.on(`out-${place.turn}.tar`),
    }),
    allowed: untouched,
  },
  {
    operation: 'workspace.export',
    input: (place) => {
      const folder = folderOf(place, 'over');
      writeFileSync(join(folder, 'mine'), 'mine');
      return { ...wherever(place), path: '/workspace', output_path: folder, overwrite: true };
    },
    allowed: untouched,
    // What stood there, or what was exported, and never a part of both.
    look: ({ home, turn }) => {
      const folder = home.on(`over-${turn}`);
      const names = existsSync(folder) ? readdirSync(folder).filter((name) => /^(one|two|mine)$/.test(name)) : [];
      const one = names.includes('one') ? readFileSync(join(folder, 'one'), 'utf8') : '';
      const shown = `${names.join(' ')}: ${one}`;
      return [`mine one two: ${fresh(turn)}\n`, `one two: ${old(turn)}\n`].includes(shown)
        ? []
        : [`stands there: ${shown}`];
    },
  },
  {
    operation: 'workspace.update',
    input: (place) => ({ ...wherever(place), name: `turn ${place.turn}` }),
    allowed: untouched,
  },
  {
    operation: 'workspace.service.start',
    input: (place) => ({ ...wherever(place), service_name: `s${place.turn}`, command: 'sleep 1000' }),
    allowed: untouched,
  },
  { operation: 'workspace.shell.open', input: wherever, allowed: untouched },
  {
    operation: 'workspace.snapshot.create',
    input: (place) => ({ ...wherever(place), snapshot_name: `s${place.turn}` }),
    allowed: untouched,
  },
  {
    operation: 'workspace.reset',
    input: wherever,
    allowed: (turn) => [...untouched(turn), 'none|none'],
  },
  { operation: 'workspace.stop', input: wherever, allowed: untouched },
  { operation: 'workspace.start', input: wherever, allowed: untouched, begins: 'stopped' },
  {
    operation: 'workspace.disk.export',
    input: (place) => ({
      ...wherever(place),
      format: 'raw',
      output_path: place.home.on(`disk-${place.turn}.raw-image`),
    }),
    allowed: untouched,
    begins: 'stopped',
  },
  { operation: 'workspace.delete', input: wherever, allowed: untouched },
];
