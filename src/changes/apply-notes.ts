// Which folders of killed applies are ours: noted outside the folder that is changed, since whoever fills that could make one up.
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readJson, writeJson } from '../system/files.ts';

/** How the names of such folders begin, of both kinds */
const ownNames = '.pyro-appl';

const noteSchema = z.object({ version: z.literal(1), stage: z.string() });

/** Notes that a stage is about to be made, in a folder of pyro's own. */
export async function noteStage(notes: string, stage: string): Promise<void> {
  await writeJson(placeOf(notes, stage), { version: 1, stage });
}

export async function isNoted(notes: string, stage: string): Promise<boolean> {
  const note = await readJson(placeOf(notes, stage), noteSchema).catch(() => undefined);
  return note?.stage === stage;
}

/** Once the stage is gone. A note that stays names nothing that anybody could make again: its name was drawn by lot. */
export async function forgetStage(notes: string, stage: string): Promise<void> {
  await rm(placeOf(notes, stage), { force: true }).catch(() => undefined);
}

/** True for a path that lies where only an apply itself puts something. */
export function isOwnPlace(path: Buffer): boolean {
  return path.toString('latin1').startsWith(ownNames);
}

function placeOf(notes: string, stage: string): string {
  return join(notes, `${createHash('sha256').update(stage).digest('hex').slice(0, 24)}.json`);
}
