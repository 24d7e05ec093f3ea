// Turns of jobs: so many of one owner and of all at a time, the others wait, and whoever leaves gives up the place.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Job } from '../../../../src/engine/jobs/job.ts';
import { mostJobs, mostJobsOfOwner, openJobProcesses } from '../../../../src/engine/jobs/job-processes.ts';
import { SecretSet } from '../../../../src/secrets/secret-set.ts';
import { until } from '../../../support/until.ts';

/** In place of the executable: a job that is done when a file with its name is there */
const program = `
const { existsSync } = require('node:fs');
process.on('message', ({ run, cancel }) => {
  if (cancel !== undefined) process.exit(1);
  process.send({ progress: { phase: 'begun', message: run.input } });
  setInterval(() => existsSync(run.input) && process.send({ output: run.input }), 10);
});
process.on('disconnect', () => process.exit(0));
`;
const job: Job<string, string> = { name: 'wait', run: async (input) => input };
const folder = mkdtempSync(join(tmpdir(), 'pj-'));
const main = join(folder, 'main.cjs');
beforeAll(() => writeFileSync(main, program));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Begun {
  readonly file: string;
  readonly said: string[];
  readonly outcome: Promise<string>;
  readonly leave: () => void;
}

let count = 0;
function begin(jobs: ReturnType<typeof openJobProcesses>, owner: string): Begun {
  const file = join(folder, `${count++}`);
  const said: string[] = [];
  const leaving = new AbortController();
  const outcome = jobs.run(job, file, {
    owner,
    deadlineMs: 60_000,
    guests: [],
    secrets: new SecretSet([]),
    workFolder: folder,
    signal: leaving.signal,
    onProgress: ({ phase }) => void said.push(phase),
  });
  outcome.catch(() => undefined);
  return { file, said, outcome, leave: () => leaving.abort(new Error('enough')) };
}

it('lets others in while one owner has many, and whoever waits in as soon as there is a place', async () => {
  await using jobs = openJobProcesses(main);
  const mine = Array.from({ length: mostJobsOfOwner + 2 }, () => begin(jobs, 'me'));
  const [first, , third, fourth] = mine;
  if (first === undefined || third === undefined || fourth === undefined) throw new Error('too few');
  await until(() => mine.slice(0, mostJobsOfOwner).every(({ said }) => said.includes('begun')));
  expect([third.said, fourth.said]).toEqual([['wait'], ['wait']]);
  const other = begin(jobs, 'other');
  await until(() => other.said.includes('begun'));
  third.leave();
  await expect(third.outcome).rejects.toThrow('enough');
  writeFileSync(first.file, '');
  expect(await first.outcome).toBe(first.file);
  await until(() => fourth.said.includes('begun'));
  for (const { file } of [...mine, other]) writeFileSync(file, '');
  expect(await Promise.all([fourth.outcome, other.outcome])).toEqual([fourth.file, other.file]);
});

it('takes so many of all owners together, and ends them with itself', async () => {
  const jobs = openJobProcesses(main);
  const all = Array.from({ length: mostJobs + 1 }, (_, at) => begin(jobs, `owner ${at}`));
  await until(() => all.filter(({ said }) => said.includes('begun')).length === mostJobs);
  expect(all.at(-1)?.said).toEqual(['wait']);
  all.at(-1)?.leave();
  await jobs[Symbol.asyncDispose]();
  const ends = await Promise.allSettled(all.map(({ outcome }) => outcome));
  expect(new Set(ends.map(({ status }) => status))).toEqual(new Set(['rejected']));
});

it('refuses one that was cancelled before its turn', async () => {
  await using jobs = openJobProcesses(main);
  const left = begin(jobs, 'me');
  left.leave();
  await expect(left.outcome).rejects.toThrow('enough');
});
