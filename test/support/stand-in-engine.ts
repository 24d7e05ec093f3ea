// The daemon's engine over stand-in guests: workspaces in milliseconds, all in folders of the test.
import { mkdtempSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JobRunner } from '../../src/engine/jobs/job.ts';
import { addEnvironment, openStore } from '../../src/environment/store.ts';
import { makeFolder } from '../../src/system/folders.ts';
import { openEngineIn, type TestEngine } from './engine.ts';
import { createStandIn, type StandIn } from './stand-in-machine.ts';

export interface StandInEngine extends TestEngine {
  readonly standIn: StandIn;
}

/**
 * An engine with `debian:12` cached: its guests have the programs of this host in place of an image.
 * @param jobs makes what does its jobs; the test's own process unless given
 */
export async function openStandInEngine(memoryMib?: number, jobs?: () => JobRunner): Promise<StandInEngine> {
  const folder = mkdtempSync(join(tmpdir(), 'pt-'));
  const cache = join(folder, 'cache');
  await plantEnvironment(cache);
  const standIn = createStandIn();
  const engine = await openEngineIn(folder, cache, memoryMib, standIn.open, jobs);
  return {
    ...engine,
    standIn,
    [Symbol.asyncDispose]: async () => {
      await engine[Symbol.asyncDispose]();
      standIn[Symbol.dispose]();
    },
  };
}

/** Has `debian:12` in a cache, as far as a stand-in needs it. */
export async function plantEnvironment(cache: string): Promise<void> {
  await makeFolder(cache);
  const image = join(cache, 'root.img');
  await writeFile(image, 'the root is that of this host');
  const config = { env: ['PATH=/usr/local/bin:/usr/bin:/bin'], working_dir: '', user: '', entrypoint: [], cmd: [] };
  const fields = {
    version: 1,
    name: 'debian:12',
    reference: 'none',
    source: 'packages',
    created_at: '2026-01-01',
  } as const;
  await addEnvironment(openStore(cache), { ...fields, config, layers: 1, packages: [] }, image);
}
