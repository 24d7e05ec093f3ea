// A guest that QEMU has paused for want of room: told to who waits, and let go on by itself once there is room.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { GuestHealth } from '../../../src/machine/guest-health.ts';
import { explain } from '../../../src/machine/guest-trouble.ts';
import { Qmp } from '../../../src/machine/qmp.ts';
import { SpaceWatch, watchStart } from '../../../src/machine/space-watch.ts';
import type { Trouble } from '../../../src/machine/trouble.ts';
import { until } from '../../support/until.ts';

let folder = '';
let server: Server;
let socket: Socket | undefined;
/** Commands that QEMU was given, in order */
let commands: string[] = [];
let status = 'running';
/** What QEMU does when it is told to go on */
let onContinue = (): void => undefined;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pyro-room-'));
  commands = [];
  status = 'running';
  onContinue = () => undefined;
  server = createServer((connection) => {
    socket = connection;
    connection.write('{"QMP": {}}\n');
    createInterface({ input: connection }).on('line', (line) => {
      const { execute, id } = JSON.parse(line);
      commands.push(execute);
      connection.write(`${JSON.stringify({ return: execute === 'query-status' ? { status } : {}, id })}\n`);
      if (execute === 'cont') onContinue();
    });
  });
  await new Promise<void>((resolve) => server.listen(join(folder, 'q'), () => resolve()));
});
afterEach(() => {
  socket?.destroy();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

const open = async (): Promise<Qmp> =>
  await Qmp.open(join(folder, 'q'), { deadlineMs: 5000, signal: new AbortController().signal });
const report = (data: object): void => {
  socket?.write(`${JSON.stringify({ event: 'BLOCK_IO_ERROR', data })}\n`);
};
const pause = { action: 'stop', nospace: true };
/** Health by pauses alone: nobody is asked for a sign of life. */
const healthOf = (qmp: Qmp, place = folder): GuestHealth =>
  new GuestHealth(
    { received: () => 0, ask: () => false, pid: undefined },
    (onChange) => new SpaceWatch(qmp, place, onChange),
  );
const never = (): Promise<never> => new Promise(() => undefined);

it('lets a paused guest go on when there is room', async () => {
  await using qmp = await open();
  using health = healthOf(qmp);
  report(pause);
  await until(() => commands.includes('cont'));
  expect(await health.guard(async () => 'done')).toBe('done');
  expect(health.trouble).toBeUndefined();
});

it('tells who waits when there is no room, and does not let the guest go on', async () => {
  await using qmp = await open();
  // A folder that cannot be looked at has no room.
  using health = healthOf(qmp, join(folder, 'none'));
  const begun = health.guard(never);
  report(pause);
  await expect(begun).rejects.toMatchObject({ code: 'disk_full', hint: expect.stringContaining('make room') });
  expect(health.trouble).toMatchObject({ state: 'paused', reason: 'disk full' });
  await expect(health.guard(async () => 'done')).rejects.toMatchObject({ code: 'disk_full' });
  expect(commands).not.toContain('cont');
});

it('finds one that was paused before anybody watched, and takes an error that the guest was told for none of its own', async () => {
  await using qmp = await open();
  using watch = new SpaceWatch(qmp, folder);
  report({ action: 'report', nospace: false });
  await watch.lookOnce();
  expect(watch.isPaused).toBe(false);
  status = 'io-error';
  await watch.lookOnce();
  expect(watch.reason).toMatchObject({ state: 'paused' });
  await until(() => commands.includes('cont'));
});

it.each([
  ['a limit of the size of files', 'File too large', 'file_size_limited', 'limit of file size'],
  ['a quota that is used up', 'Disk quota exceeded', 'disk_full', 'disk full: quota used up'],
  ['a disk that fails', 'Input/output error', 'disk_failed', 'disk error: Input/output error'],
])('tells of %s, tries again, and goes on once a write succeeds', async (_, reason, code, shown) => {
  await using qmp = await open();
  using health = healthOf(qmp);
  const fail = (): void => report({ action: 'stop', nospace: false, reason });
  onContinue = fail;
  const begun = health.guard(never);
  fail();
  await expect(begun).rejects.toMatchObject({ code });
  expect(health.trouble).toMatchObject({ state: 'paused', reason: shown });
  expect(commands.filter((each) => each === 'cont').length).toBeGreaterThan(0);
  onContinue = () => undefined;
  await until(() => health.trouble === undefined);
  expect(await health.guard(async () => 'done')).toBe('done');
});

it('tells the way out of a guest whose QEMU goes on failing on a disk that works, as after a flush that failed', async () => {
  await using qmp = await open();
  using health = healthOf(qmp);
  const fail = (): void => report({ action: 'stop', nospace: false, reason: 'Input/output error' });
  onContinue = fail;
  fail();
  await until(() => health.trouble?.reason.includes('given the disk up') === true);
  expect(readdirSync(folder)).toEqual(['q']);
  const told = await health.guard(never).catch((error: unknown) => error);
  expect(told).toMatchObject({ code: 'disk_failed', details: { given_up: true } });
  expect(await explain(told, undefined, 'w1')).toMatchObject({
    code: 'disk_failed',
    hint: expect.stringMatching(/with what was synced: .*workspace\.stop.*w1.*workspace\.start.*w1/),
  });
  // It is tried on all the same, and a guest that goes on after all is well.
  onContinue = () => undefined;
  await until(() => health.trouble === undefined);
});

it('tells a guest whose start is paused of it', async () => {
  await using qmp = await open();
  let told: Trouble | undefined;
  using watch = watchStart(qmp, join(folder, 'none'), (trouble) => {
    told = trouble;
  });
  report(pause);
  await until(() => told !== undefined);
  expect(told).toMatchObject({ reason: 'disk full', error: { code: 'disk_full' } });
  expect(watch?.isPaused).toBe(true);
  expect(watchStart(qmp, undefined, () => undefined)).toBeUndefined();
});

it('says of one that was paused before anybody watched what QEMU says of it, not that there is no room', async () => {
  await using qmp = await open();
  using health = healthOf(qmp);
  using watch = new SpaceWatch(qmp, folder);
  onContinue = () => report({ action: 'stop', nospace: false, reason: 'Input/output error' });
  status = 'io-error';
  await watch.lookOnce();
  await until(() => watch.trouble !== undefined);
  expect(watch.trouble).toMatchObject({ reason: expect.stringContaining('Input/output error') });
  expect(health.trouble?.state).toBe('paused');
});
