// A guest that QEMU has paused for want of room: told to who waits, and let go on by itself once there is room.

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Qmp } from '../../../src/machine/qmp.ts';
import { SpaceWatch } from '../../../src/machine/space-watch.ts';
import { until } from '../../support/until.ts';

let folder = '';
let server: Server;
let socket: Socket | undefined;
/** Commands that QEMU was given, in order */
let commands: string[] = [];
let status = 'running';

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pyro-room-'));
  commands = [];
  status = 'running';
  server = createServer((connection) => {
    socket = connection;
    connection.write('{"QMP": {}}\n');
    createInterface({ input: connection }).on('line', (line) => {
      const { execute, id } = JSON.parse(line);
      commands.push(execute);
      connection.write(`${JSON.stringify({ return: execute === 'query-status' ? { status } : {}, id })}\n`);
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

it('lets a paused guest go on when there is room', async () => {
  await using qmp = await open();
  using watch = new SpaceWatch(qmp, folder);
  report(pause);
  await until(() => commands.includes('cont'));
  expect(await watch.guard(async () => 'done')).toBe('done');
  expect(watch.isPaused).toBe(false);
});

it('tells who waits when there is no room, and does not let the guest go on', async () => {
  await using qmp = await open();
  // A folder that cannot be looked at has no room.
  using watch = new SpaceWatch(qmp, join(folder, 'none'));
  report(pause);
  const begun = watch.guard(() => new Promise<never>(() => undefined));
  await expect(begun).rejects.toMatchObject({ code: 'disk_full', hint: expect.stringContaining('make room') });
  await expect(watch.guard(async () => 'done')).rejects.toMatchObject({ code: 'disk_full' });
  expect(commands).not.toContain('cont');
});

it('finds one that was paused before anybody watched, and takes no other error for want of room', async () => {
  await using qmp = await open();
  using watch = new SpaceWatch(qmp, folder);
  report({ action: 'report', nospace: false });
  report({ action: 'stop', nospace: false });
  await watch.lookOnce();
  expect(watch.isPaused).toBe(false);
  status = 'io-error';
  await watch.lookOnce();
  await until(() => commands.includes('cont'));
});
