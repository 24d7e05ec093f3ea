// Guests that are saved with a project mounted: the next workspace of the same files starts from there, and from nothing else.
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Progress } from '../../src/shared/progress.ts';
import { crashGuest } from '../support/crash.ts';
import { call, createRequest, exec, openTestEngine, type TestEngine } from '../support/engine.ts';

let engine: TestEngine;
let project = '';

beforeAll(async () => {
  engine = await openTestEngine({ hasOwnCache: true });
  for (const name of prepared()) rmSync(join(templates(), name), { recursive: true });
  project = mkdtempSync(join(tmpdir(), 'pp-'));
  for (let number = 0; number < 40; number++) {
    mkdirSync(join(project, `d${number % 4}`), { recursive: true });
    writeFileSync(join(project, `d${number % 4}`, `f${number}`), `content ${number}\n`);
  }
  git('init', '-q', '-b', 'main');
  git('add', '-A');
  git('commit', '-q', '-m', 'first');
});

/** Each test finds a saved guest of the project, whatever those before it have left. */
beforeEach(async () => {
  await untilSaved(async () => await deleteNow(await create()));
});

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  rmSync(project, { recursive: true, force: true });
});

function git(...args: string[]): void {
  execFileSync('git', ['-c', 'user.name=T', '-c', 'user.email=t@localhost', ...args], { cwd: project });
}

const templates = (): string => join(engine.paths.cache, 'templates');
const prepared = (): string[] => readdirSync(templates()).filter((name) => /^p[0-9a-f]+$/.test(name));

/** Does it until a saved guest was used for it. */
async function untilSaved(work: () => Promise<unknown>): Promise<void> {
  for (let turn = 0; turn < 60; turn++) {
    if ((await used(work)).length > 0) return;
    await sleep(1000);
  }
  expect.fail('no guest was saved in all this time');
}

async function create(onProgress: (progress: Progress) => void = () => undefined, seedPath = project): Promise<string> {
  const made = await engine.workspaces().create({ ...createRequest, seed_path: seedPath }, call({ onProgress }));
  return made.workspace_id;
}

const deleteNow = (id: string): Promise<unknown> =>
  engine.workspaces().delete({ workspace_id: id, force: true, dry_run: false }, call());

/** Makes each look old, tells afterwards which were used. */
async function used(work: () => Promise<unknown>): Promise<string[]> {
  const before = prepared();
  for (const name of before) utimesSync(join(templates(), name), 1, 1);
  await work();
  // One that was saved meanwhile is no proof of use.
  return prepared().filter((name) => before.includes(name) && statSync(join(templates(), name)).mtimeMs > 1000);
}

const usual = { include_ignored: false, max_file_bytes: 0 };

async function changes(id: string): Promise<string[]> {
  const request = { stat_only: true, base: 'baseline', system: false, ...usual };
  const diff = await engine
    .workspaces()
    .diff({ ...request, workspace_id: id, max_bytes: 10_000, entry_limit: 100 }, call());
  return diff.entries.map(({ path }) => path);
}

describe('a workspace of a project that was seen before', () => {
  it('starts from the saved guest, with the files, no change, and a name of its own', async () => {
    const ids: string[] = [];
    const names = await used(async () => {
      ids.push(await create(), await create());
    });
    expect(names).toHaveLength(1);
    const identities = new Set<string>();
    for (const id of ids) {
      const { stdout } = await exec(engine, id, 'git status --porcelain | wc -l; cat d*/f* | sort | md5sum; ls -A');
      const expected = execFileSync('sh', ['-c', 'cat d*/f* | sort | md5sum; ls -A'], { cwd: project });
      expect(stdout).toBe(`0\n${expected.toString()}`);
      expect(await changes(id)).toEqual([]);
      identities.add(
        (await exec(engine, id, 'cat /etc/machine-id; hostname; head -c 16 /dev/urandom | md5sum')).stdout,
      );
    }
    expect(identities.size).toBe(2);
    for (const id of ids) await deleteNow(id);
  });

  it('keeps its changes to itself, over a crash too, and loses them with a reset', async () => {
    const id = await create();
    const [guest] = engine.engine().activity().guests;
    await exec(engine, id, 'echo more >> d1/f1; rm d2/f2; mkdir new; echo x > new/file; sync');
    const mine = ['d1/f1', 'd2/f2', 'new/file'];
    expect(await changes(id)).toEqual(mine);
    await crashGuest(engine, guest?.pid);
    expect(await changes(id)).toEqual(mine);
    const other = await create();
    expect(await changes(other)).toEqual([]);
    await deleteNow(other);
    const names = await used(
      async () => void (await engine.workspaces().reset({ workspace_id: id, snapshot: 'baseline' }, call())),
    );
    expect(names).toHaveLength(1);
    expect(await changes(id)).toEqual([]);
    expect((await exec(engine, id, 'cat d1/f1 d2/f2')).stdout).toBe('content 1\ncontent 2\n');
    await deleteNow(id);
  });

  it('has the files as they are now, not as they were saved', async () => {
    writeFileSync(join(project, 'd1', 'f1'), 'changed on the host\n');
    const id = await create();
    expect((await exec(engine, id, 'cat d1/f1; git status --porcelain')).stdout).toBe(
      'changed on the host\n M d1/f1\n',
    );
    await deleteNow(id);
    await untilSaved(async () => {
      const again = await create();
      expect((await exec(engine, again, 'cat d1/f1')).stdout).toBe('changed on the host\n');
      await deleteNow(again);
    });
    git('checkout', '-q', 'd1/f1');
  });

  it('starts without the saved guest when that is damaged, or is removed just now', async () => {
    const before = prepared();
    for (const name of before) rmSync(join(templates(), name, 'layer.qcow2'));
    const messages: string[] = [];
    await deleteNow(await create(({ message }) => messages.push(message)));
    expect(messages.join('\n')).not.toContain('booting');
    for (const name of before) {
      writeFileSync(join(templates(), name, 'layer.qcow2'), '');
      truncateSync(join(templates(), name, 'state'), 1000);
    }
    const id = await create(({ message }) => messages.push(message));
    expect(messages.join('\n')).toContain('booting without it');
    expect((await exec(engine, id, 'cat d1/f1')).stdout).toBe('content 1\n');
    expect(await changes(id)).toEqual([]);
    await deleteNow(id);
  });
});

it('nothing of an archive runs before somebody runs it', async () => {
  for (const name of prepared()) rmSync(join(templates(), name), { recursive: true });
  git('config', 'core.fsmonitor', 'touch /workspace/ran; sleep 4323 >/dev/null 2>&1 & echo');
  const archive = `${project}.tar`;
  execFileSync('tar', ['-C', project, '-cf', archive, '.']);
  git('config', '--unset', 'core.fsmonitor');
  let id = await create(undefined, archive);
  await untilSaved(async () => {
    await deleteNow(id);
    id = await create(undefined, archive);
  });
  rmSync(archive);
  expect((await exec(engine, id, 'ls ran; pgrep -fx "sleep 4323"')).stdout).toBe('');
  expect(await changes(id)).toEqual([]);
  // The trap was one: git in the guest steps into it.
  expect((await exec(engine, id, 'git status >/dev/null; ls ran')).stdout).toBe('ran\n');
  await deleteNow(id);
});

it('a workspace goes back to its seed also when the template of its environment was made anew since', async () => {
  const id = await create();
  await exec(engine, id, 'echo more >> d3/f3; echo outside > /root/file; sync');
  for (const name of readdirSync(templates())) rmSync(join(templates(), name), { recursive: true });
  const messages: string[] = [];
  await engine
    .workspaces()
    .reset({ workspace_id: id, snapshot: 'baseline' }, call({ onProgress: ({ message }) => messages.push(message) }));
  expect(messages).toContain('booting');
  expect(await changes(id)).toEqual([]);
  const look = await exec(engine, id, 'cat d3/f3; ls /root; touch /root/new && sync && echo fine');
  expect(look.stdout).toBe('content 3\nfine\n');
  await deleteNow(id);
});
