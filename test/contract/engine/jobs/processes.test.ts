// Work on a guest's data in processes of their own: the same results, and whatever the data, the daemon's thread and memory stay free.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { patchApplyInput, summaryInput } from '../../../../src/contract/changes.ts';
import { seedJob } from '../../../../src/engine/guests/seed-job.ts';
import { type JobLimits, jobLimits } from '../../../../src/engine/jobs/job-process.ts';
import { openJobProcesses } from '../../../../src/engine/jobs/job-processes.ts';
import { SecretSet } from '../../../../src/secrets/secret-set.ts';
import { call, createRequest, exec } from '../../../support/engine.ts';
import { git } from '../../../support/host-tree.ts';
import { StandInHouse } from '../../../support/stand-in-house.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';
import { until } from '../../../support/until.ts';

const obstacle = standInObstacle();
const main = fileURLToPath(new URL('../../../../dist/main.js', import.meta.url));
const value = 'a-secret-of-the-jobs';

function seed(folder: string): void {
  mkdirSync(folder);
  git(folder, 'init', '-q');
  writeFileSync(`${folder}/old`, 'old\n');
  writeFileSync(`${folder}/other`, 'other\n');
  git(folder, 'add', '.');
  git(folder, 'commit', '-qm', 'first');
}

/** Processes of jobs of this test, those that wait for one included. */
function jobProcesses(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const isJob = readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('\0__job');
        return isJob && readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ')[1] === `${process.pid}`;
      } catch {
        return false;
      }
    });
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function isGit(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'latin1') === 'git\n';
  } catch {
    return false;
  }
}

/** False when it has ended already. */
function stop(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGSTOP');
  } catch {
    return false;
  }
}

async function open(limits: Partial<JobLimits> = {}): Promise<StandInHouse> {
  const secrets = [{ name: 'TOKEN', value }];
  return await StandInHouse.open({ secrets }, seed, () => openJobProcesses(main, { ...jobLimits, ...limits }));
}

describe.skipIf(obstacle !== undefined)('jobs in processes of their own', () => {
  let house: StandInHouse;
  beforeAll(async () => {
    if (obstacle === undefined) house = await open();
  });
  afterAll(async () => await house?.[Symbol.asyncDispose]());

  it('give what they would give here: diff, summary, patch, export, sync, apply', async () => {
    await house.sh('echo new >> old; echo added > added; rm other');
    const diff = await house.diff();
    expect(diff.summary).toMatchObject({ total: 3, added: 1, modified: 1, deleted: 1 });
    expect(diff.patch).toContain('+added');
    const summary = await house.all.summary(summaryInput.parse({ workspace_id: house.id }), call());
    expect(summary).toMatchObject({ file_count: 3, additions: 2 });
    const patch = '--- a/added\n+++ b/added\n@@ -1 +1 @@\n-added\n+patched\n';
    await house.all.patchApply(patchApplyInput.parse({ workspace_id: house.id, patch }), call());
    expect(await house.sh('cat added')).toBe('patched\n');
    await house.export({ path: '.', output_path: house.on('out') });
    expect(readFileSync(house.on('out/added'), 'utf8')).toBe('patched\n');
    house.on('from/pushed', 'pushed');
    await house.push({ source_path: house.on('from'), dest: '/workspace/in' });
    expect(await house.sh('cat in/pushed')).toBe('pushed');
    expect(await house.apply()).toMatchObject({ changed_count: 4 });
    expect(readFileSync(house.on('seed/in/pushed'), 'utf8')).toBe('pushed');
    const snapshot = { workspace_id: house.id, snapshot_name: 'then' };
    await house.all.snapshotCreate(snapshot, call());
    await house.sh('echo later > later');
    expect((await house.diff({ base: 'then' })).entries.map(({ path }) => path)).toEqual(['later']);
    expect(house.leftovers).toEqual([]);
  });

  it('let the daemon go first, with what they start', async () => {
    await house.diff();
    await until(() => jobProcesses().length > 0);
    for (const pid of jobProcesses()) expect(getPriority(pid)).toBe(Math.min(19, getPriority() + 3));
  });

  it('notice and mask secrets, which they are told of and which stand on no command line', async () => {
    await house.sh(`echo ${value} > leak`);
    await expect(house.diff()).rejects.toMatchObject({ code: 'secret_in_output' });
    await expect(house.export({ path: 'leak', output_path: house.on('leak') })).rejects.toMatchObject({
      code: 'secret_in_output',
    });
    expect((await house.diff({ stat_only: true })).entries.map(({ path }) => path)).toContain('leak');
    await house.sh(`mv leak ${value}`);
    const named = await house.diff({ stat_only: true });
    expect(named.entries.map(({ path }) => path)).toContain('*'.repeat(value.length));
    for (const pid of jobProcesses()) {
      expect(readFileSync(`/proc/${pid}/cmdline`, 'latin1')).not.toContain(value);
      expect(readFileSync(`/proc/${pid}/environ`, 'latin1')).not.toContain(value);
    }
    await house.sh(`rm ${value}`);
  });

  it('leave the thread of the daemon to others while a tree of 1,000 levels and long names is summarised', async () => {
    const { workspace_id: other } = await house.all.create({ ...createRequest, empty: true }, call());
    await house.sh(
      `long() { printf "$1%.0s" $(seq $2); }
       mkdir deep; cd deep; mkdir -p $(long ddd/ 900); cd $(long ddd/ 900); seq 4000 | split -l 1 -a 5 -d - f
       cd /workspace; mkdir wide; cd wide; n=$(long n 240); mkdir -p $n/$n/$n; cd $n/$n/$n; seq 4000 | split -l 1 -a 5 -d - $(long x 200)`,
    );
    const delay = monitorEventLoopDelay({ resolution: 10 });
    delay.enable();
    let isDone = false;
    const summary = house.all
      .summary(summaryInput.parse({ workspace_id: house.id }), call())
      .catch((error: unknown) => error)
      .finally(() => {
        isDone = true;
      });
    let count = 0;
    while (!isDone) {
      expect(await exec(house.engine, other, 'echo hello')).toMatchObject({ stdout: 'hello\n' });
      count++;
    }
    await summary;
    delay.disable();
    expect(count).toBeGreaterThan(2);
    // A machine with other work stalls everybody; the work itself took the thread for many seconds.
    expect(delay.percentile(99) / 1e6).toBeLessThan(1000);
    await house.sh('rm -rf deep wide');
  });

  it('say so when git is stopped below one, and leave nothing; the next call does the work', async () => {
    await house.sh('mkdir kept; cd kept; seq 2000 | split -l 1 -a 5 -d - f');
    const looking = new AbortController();
    const stopped = (async () => {
      for (; !looking.signal.aborted; await sleep(2)) {
        const pid = jobProcesses().flatMap(childrenOf).find(isGit);
        if (pid !== undefined && stop(pid)) return pid;
      }
      return 0;
    })();
    const ended = await house.diff().catch((error: unknown) => error);
    looking.abort();
    expect(await stopped).toBeGreaterThan(0);
    expect(ended).toMatchObject({ message: expect.stringContaining('was stopped') });
    await until(() => house.leftovers.length === 0);
    expect((await house.diff()).summary.total).toBeGreaterThan(1999);
    await house.sh('rm -rf kept');
  });

  it('end with their call: cancelled, they are gone, and nothing is left', async () => {
    await house.sh('mkdir many; cd many; seq 3000 | split -l 1 -a 5 -d - f');
    const before = new Set(jobProcesses());
    for (const after of [0, 50, 150, 300]) {
      const cancelling = new AbortController();
      setTimeout(() => cancelling.abort(new Error('enough')), after);
      await house.diff({}, { signal: cancelling.signal }).catch((error: unknown) => {
        expect(error).toMatchObject({ message: 'enough' });
      });
    }
    // One is held ready for the next call.
    await until(() => jobProcesses().filter((pid) => !before.has(pid)).length <= 1);
    // Whoever leaves does not wait until it is tidied up.
    await until(() => house.leftovers.length === 0);
  });

  it('that are killed are told as such, and the next one does the work', async () => {
    const diff = house.diff({ include_ignored: true }).catch((error: unknown) => error);
    const scratch = join(house.engine.paths.state, 'workspaces', house.id, 'scratch');
    const hasBegun = (job: string): boolean => readdirSync(join(scratch, job)).length > 0;
    await until(() => house.leftovers.some(hasBegun));
    for (const pid of jobProcesses()) process.kill(pid, 'SIGKILL');
    expect(await diff).toMatchObject({ code: expect.stringMatching(/^(work_too_large|tool_failed)$/) });
    expect((await house.diff({ stat_only: true })).summary['total']).toBeGreaterThan(2999);
    await until(() => house.leftovers.length === 0);
  });
});

describe('a job that has ended', () => {
  it('has given its outcome, also to a daemon that had no time to read it before', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pj-'));
    mkdirSync(join(folder, 'project'));
    writeFileSync(join(folder, 'project/a'), 'a');
    await using jobs = openJobProcesses(main);
    const { signal } = new AbortController();
    const tools = { signal, onProgress: () => undefined, guests: [], secrets: new SecretSet([]), workFolder: folder };
    const input = { cache: join(folder, 'cache'), request: { path: join(folder, 'project'), includes: [] } };
    const run = () => jobs.run(seedJob, input, { ...tools, owner: 'test', deadlineMs: 60_000 });
    await run();
    for (let turn = 0; turn < 3; turn++) {
      const outcome = run();
      await new Promise((resolve) => setTimeout(resolve, 20));
      // It does all its work, and ends, while nobody listens.
      const until = performance.now() + 1500;
      while (performance.now() < until);
      expect(await outcome).toMatchObject({ summary: { mode: 'directory' } });
    }
    rmSync(folder, { recursive: true, force: true });
  });
});

describe.skipIf(obstacle !== undefined)('a job', () => {
  it('that needs more memory than it may have ends with that error, and the workspace goes on', async () => {
    await using house = await open({ memoryMib: 160 });
    await house.sh(
      'n=$(printf n%.0s $(seq 240)); p=$n/$n/$n/$n/$n/$n; mkdir -p $p; cd $p; seq 12000 | split -l 1 -a 5 -d - $(printf x%.0s $(seq 200))',
    );
    await expect(house.diff()).rejects.toMatchObject({ code: 'work_too_large' });
    expect(await house.sh('echo on')).toBe('on\n');
    expect(house.leftovers).toEqual([]);
  });
});
