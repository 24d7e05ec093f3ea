// A client that works as an agent does: a workspace of its checkout, some twenty calls, a delete; and from the beginning.
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Random } from '../support/random-tree.ts';
import type { Journal } from './journal.ts';
import { Model } from './model.ts';
import type { Seats } from './seats.ts';
import { call, steps, type Turn } from './steps.ts';
import type { ToolClient } from './tool-client.ts';

export interface PeacefulOptions {
  readonly client: ToolClient;
  readonly checkout: string;
  readonly outside: string;
  readonly seats: Seats;
  readonly random: Random;
  readonly journal: Journal;
  /** Aborted when the time is over */
  readonly isOver: AbortSignal;
}

/** Calls of one workspace: at least, and so many more at most */
const fewestSteps = 10;
const moreSteps = 20;
const createdSchema = z.looseObject({ workspace_id: z.string() });

export async function bePeaceful({ seats, isOver, ...options }: PeacefulOptions): Promise<void> {
  mkdirSync(options.outside, { recursive: true });
  while (!isOver.aborted) {
    using _seat = await seats.take();
    if (!isOver.aborted) await oneWorkspace(options, isOver);
  }
}

async function oneWorkspace(
  { client, checkout, outside, random, journal }: Omit<PeacefulOptions, 'seats' | 'isOver'>,
  isOver: AbortSignal,
): Promise<void> {
  // Now and then the person has gone on too: another seed, which has to be packed.
  if (random.next(3) === 0) appendFileSync(join(checkout, 'NOTES'), `note ${random.next(1_000_000)}\n`);
  let turn: Turn | undefined;
  try {
    const created = await client.call('workspace_create', { mem_mib: 256, name: client.name });
    turn = { client, id: createdSchema.parse(created).workspace_id, model: new Model(), random, outside };
    const most = fewestSteps + random.next(moreSteps);
    for (let step = 0; step < most && !isOver.aborted; step++) {
      await random.pick(steps)(turn);
      await sleep(50 + random.next(350));
    }
  } catch (error) {
    journal.fault(`${client.name}: ${String(error)}`);
  }
  if (turn === undefined) return;
  try {
    await call(turn, 'workspace_delete');
  } catch (error) {
    journal.fault(`${client.name}: ${String(error)}`);
  }
}
