// What doctor says of the daemon: none, one that runs, one that ends, one that fails, and a caller who leaves.
import { expect, it } from 'vitest';
import type { DaemonControl } from '../../../src/contract/call.ts';
import { checkDaemon } from '../../../src/operations/doctor-daemon.ts';
import { PyroError } from '../../../src/shared/errors.ts';

const running = {
  pid: 7,
  version: '5.0.0',
  protocol: 1,
  started_at: 1,
  calls: 0,
  memory_bytes: 0,
  disk_free_bytes: 0,
  guest_memory_bytes: 0,
  idle_seconds: 0,
  guests: [{ workspace_id: '0123456789ab', pid: 8 }],
  log: '/log',
  socket: '/socket',
  draining: false,
};

function daemonOf(status: DaemonControl['status']): DaemonControl {
  return { status, stop: async () => false };
}
const never = new AbortController().signal;

it.each([
  ['none', undefined, 'not running; the first command that needs it starts it'],
  ['one that runs', running, 'pid 7, version 5.0.0, 1 guest'],
  ['one that ends', { ...running, guests: [], draining: true }, 'pid 7, version 5.0.0, 0 guests, ending'],
])('%s is fine', async (_what, status, message) => {
  expect(
    await checkDaemon(
      daemonOf(async () => status),
      never,
    ),
  ).toMatchObject({ status: 'ok', message, fix: null });
});

it('one that fails is told with its reason and how to end it', async () => {
  const failing = daemonOf(() => Promise.reject(new PyroError('daemon_unresponsive', 'no answer today')));
  expect(await checkDaemon(failing, never)).toMatchObject({
    status: 'fail',
    message: 'no answer today',
    fix: expect.stringContaining('pyro daemon stop --force'),
  });
});

it('a caller who leaves hears of no daemon', async () => {
  const leaving = new AbortController();
  const hanging = daemonOf(
    (signal) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  );
  const checked = checkDaemon(hanging, leaving.signal);
  leaving.abort(new Error('the caller left'));
  await expect(checked).rejects.toThrow('the caller left');
});
