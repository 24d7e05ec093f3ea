// A guest that has recorded a hello and what was answered, and plays it again byte by byte: it is taken for nobody, and told nothing.
import { existsSync, linkSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bytes, forever, type Lie } from '../support/lies.ts';
import { LyingHouse, type Outcome, type Output } from '../support/lying-house.ts';
import { Watch } from '../support/lying-watch.ts';
import { standInObstacle } from '../support/stand-in-machine.ts';
import { until } from '../support/until.ts';

const obstacle = standInObstacle();
const secret = 'a-value-for-one-guest-alone';
const helloBytes = 32;
const partBytes = 16;
/** A guest that does not answer is given up after 4 s of its time, `ms` */
const withinMs = 30_000;
const lost = /^guest_(unresponsive|unreachable|protocol|boot_failed)$/;
const recording: Lie = { on: 'hello', end: 'honest', record: 'old' };

let house: LyingHouse;
let watch: Watch;
let neighbour: string;
let folder: string;

beforeAll(async () => {
  if (obstacle !== undefined) return;
  folder = mkdtempSync(join(tmpdir(), 'pr-'));
  house = await LyingHouse.open();
  neighbour = await recorded('neighbour');
  watch = new Watch(house, neighbour, { leastExecMs: 200, mostTimesOfFew: 10 });
});
afterAll(async () => {
  await house?.[Symbol.asyncDispose]();
  watch?.[Symbol.dispose]();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

/** A guest with a secret and a file that names it, whose first session is on record. */
async function recorded(name: string, fields: Output = {}): Promise<string> {
  house.lieFromStart(recording);
  const id = await house.create({ secrets: [{ name: 'TOKEN', value: `${secret} of ${name}` }], ...fields });
  house.lieFromStart();
  house.lie(id);
  await house.exec(id, `echo ${name} > /workspace/who`);
  return id;
}

const said = (id: string, name = 'old'): Buffer => house.recorded(id, name).said;

/** Runs with the secret and tells what the answer is. */
async function use(id: string): Promise<Outcome> {
  const input = { workspace_id: id, command: 'cat who', secret_env: { TOKEN: 'TOKEN' }, wait_seconds: 20 };
  return await house.outcome('workspace.exec', input, AbortSignal.timeout(withinMs));
}

/** Only hellos, each with a nonce of its own, and nothing that comes after an answer. */
function expectHellos(heard: Buffer): void {
  expect(heard.length % helloBytes).toBe(0);
  const hellos = Array.from({ length: heard.length / helloBytes }, (_, at) =>
    heard.subarray(at * helloBytes, (at + 1) * helloBytes),
  );
  expect(hellos.length).toBeGreaterThan(0);
  const nonces = new Set(hellos.map((hello) => hello.subarray(partBytes).toString('hex')));
  expect(nonces.size).toBe(hellos.length);
}

interface Begun {
  readonly outcome: Promise<Outcome>;
  /** What the guest was told, though nothing else of it may be left */
  readonly heard: () => Buffer;
}

/** Makes a call that begins with a guest, which plays this to its hello. */
async function begin(name: string, lie: Omit<Lie, 'record'>, operation: string, input: Output): Promise<Begun> {
  const kept = join(folder, name);
  house.lieFromStart({ ...lie, record: name });
  const outcome = house.outcome(operation, input, AbortSignal.timeout(withinMs));
  await until(() => {
    for (const place of readdirSync(house.runtimeFolder)) {
      const file = join(house.runtimeFolder, place, `${name}.heard`);
      if (existsSync(file)) linkSync(file, kept);
    }
    return existsSync(kept);
  });
  house.lieFromStart();
  return { outcome, heard: () => readFileSync(kept) };
}

describe.skipIf(obstacle !== undefined)('a recorded hello that is played again', () => {
  it('is on record as it was: a nonce and its answer, and all that came after', () => {
    const { heard, said: answer } = house.recorded(neighbour, 'old');
    expect(answer.subarray(partBytes, helloBytes)).toEqual(heard.subarray(partBytes, helloBytes));
    expect(answer.length).toBeGreaterThan(helloBytes + 50);
    expect(heard.toString('latin1')).toContain('PRI * HTTP/2.0');
  });

  it('on first contact, at a reset, at a start, on the network port: no guest comes of it', async () => {
    const mine = await recorded('mine');
    const stopped = await recorded('stopped');
    const beforeStop = said(stopped);
    await house.call('workspace.stop', { workspace_id: stopped });
    house.lieFromStart({ ...recording, on: 'way out' });
    const open = await house.create({ network_policy: 'egress' });
    const fresh = { environment: 'debian:12', ttl_seconds: 0, secrets: [{ name: 'TOKEN', value: secret }] };
    const hello = (old: Buffer): Lie => ({ on: 'hello', body: [bytes(old)] });

    const begun = [
      await begin('all', hello(said(neighbour)), 'workspace.create', fresh),
      await begin('answer', hello(said(neighbour).subarray(0, helloBytes)), 'workspace.create', fresh),
      await begin('reset', hello(said(mine)), 'workspace.reset', { workspace_id: mine }),
      await begin('start', hello(beforeStop), 'workspace.start', { workspace_id: stopped }),
      await begin('network', { ...hello(said(open)), on: 'way out' }, 'workspace.create', {
        ...fresh,
        network_policy: 'egress',
      }),
    ];
    for (const { outcome, heard } of begun) {
      expect(await outcome).toMatchObject({ code: expect.stringMatching(lost) });
      expectHellos(heard());
    }
    // What was there before goes on, and the next try is told the truth.
    expect(await use(neighbour)).toMatchObject({ output: { stdout: 'neighbour\n' } });
    expect(await use(mine)).toMatchObject({ output: { stdout: 'mine\n' } });
    await house.call('workspace.reset', { workspace_id: mine });
    expect(await use(mine)).toMatchObject({ output: { exit_code: 1 } });
    await house.call('workspace.start', { workspace_id: stopped });
    expect(await use(stopped)).toMatchObject({ output: { stdout: 'stopped\n' } });
    for (const id of [mine, stopped, open]) await house.call('workspace.delete', { workspace_id: id, force: true });
  });

  it('to a daemon that takes over: taken for nobody, told nothing, and a reset helps', {
    timeout: 240_000,
  }, async () => {
    const names = ['own', 'other', 'answer', 'endless', 'snapshot', 'both', 'late'] as const;
    const ids = new Map<string, string>();
    for (const name of names) ids.set(name, await recorded(name));
    const idOf = (name: (typeof names)[number]): string => ids.get(name) ?? '';
    // One take-over is honest and on record, so that the next can be told the same with the same secret of the hello.
    for (const id of ids.values()) house.lie(id, { ...recording, record: 'taken' });
    const snapshot = { workspace_id: idOf('snapshot'), snapshot_name: 'first' };
    await house.call('workspace.snapshot.create', snapshot);
    const beforeSnapshot = said(idOf('snapshot'));
    await house.call('workspace.reset', { workspace_id: idOf('snapshot'), snapshot: 'first' });
    house.lie(idOf('snapshot'), { ...recording, record: 'taken' });
    await house.replaceDaemon();
    for (const name of names) expect(await use(idOf(name))).toMatchObject({ output: { stdout: `${name}\n` } });

    const taken = (name: (typeof names)[number]): Buffer => said(idOf(name), 'taken');
    const replays: Readonly<Record<(typeof names)[number], Omit<Lie, 'on'>>> = {
      own: { body: [bytes(taken('own'))] },
      other: { body: [bytes(taken('both'))] },
      answer: { body: [bytes(taken('answer').subarray(0, helloBytes))] },
      endless: { body: [forever(bytes(taken('endless')))] },
      snapshot: { body: [bytes(beforeSnapshot)] },
      // The right answer, and then the rest of the session before as it was.
      both: { body: [{ ack: true }, { pause_ms: 300 }, bytes(taken('both').subarray(helloBytes))] },
      // The old answer first, and then the truth: all before the right answer is of no account.
      late: { body: [bytes(taken('late'))], end: 'honest' },
    };
    for (const name of names) house.lie(idOf(name), { on: 'hello', record: 'new', ...replays[name] });
    await watch.begin();
    await watch.bystander.stop();
    await house.replaceDaemon();
    watch.bystander.watch();
    const outcomes = await Promise.all(names.map(async (name) => [name, await use(idOf(name))] as const));
    for (const [name, outcome] of outcomes) {
      if (name === 'late') expect(outcome).toMatchObject({ output: { stdout: 'late\n' } });
      // A session that breaks is a guest that is lost: it is started anew from its disk.
      else if (name === 'both') expect(outcome).toMatchObject({ output: { stdout: 'both\n', restarted: true } });
      else {
        expect(outcome, name).toMatchObject({ code: expect.stringMatching(lost) });
        expectHellos(house.recorded(idOf(name), 'new').heard);
      }
    }
    await watch.end();
    for (const name of names) {
      house.lie(idOf(name));
      await house.call('workspace.reset', { workspace_id: idOf(name) });
      expect(await use(idOf(name)), name).toMatchObject({ output: { exit_code: 1 } });
    }
    expect(await use(neighbour)).toMatchObject({ output: { stdout: 'neighbour\n' } });
  });
});
