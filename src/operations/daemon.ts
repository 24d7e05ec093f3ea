// daemon.status, daemon.stop: the background process that owns the guests.

import { daemonStatusInput, daemonStatusOutput, daemonStopInput, daemonStopOutput } from '../contract/machine.ts';
import { leastRoom, scarceRoom } from '../shared/disk-limits.ts';
import { PyroError } from '../shared/errors.ts';
import { formatTable } from '../shared/table.ts';
import { formatBytes } from '../shared/units.ts';
import { defineOperation, type OperationContext } from './define.ts';

export const daemonStatus = defineOperation({
  name: 'daemon.status',
  title: 'Show the daemon',
  summary: 'Show the background process that owns the guests',
  details: 'It starts by itself when needed and ends by itself when nothing runs. Exit code 0 even when none runs.',
  effect: 'read',
  place: 'front',
  positionals: [],
  input: daemonStatusInput,
  output: daemonStatusOutput,
  examples: [{ why: 'Is it running, and with which guests', command: 'pyro daemon status' }],
  run: async (context) => {
    const status = await controlOf(context).status(context.signal);
    return {
      running: status !== undefined,
      daemon: status === undefined ? null : { ...status, guests: [...status.guests] },
    };
  },
  render: ({ daemon }) => {
    if (daemon === null) return 'no daemon is running; the next command that needs one starts it\n';
    const guests = daemon.guests.map((guest) => `\nguest  ${guest.workspace_id}  pid ${guest.pid}`);
    return `${formatTable([
      ['pid', String(daemon.pid)],
      ['version', daemon.version],
      ['since', new Date(daemon.started_at * 1000).toISOString()],
      ['state', daemon.draining ? 'ending' : 'taking calls'],
      ['calls', String(daemon.calls)],
      ['guests', `${daemon.guests.length}, ${formatBytes(daemon.guest_memory_bytes)}`],
      ['memory', formatBytes(daemon.memory_bytes)],
      ['disk', diskText(daemon.disk_free_bytes)],
      ['ends after', `${daemon.idle_seconds} s without work`],
      ['socket', daemon.socket],
      ['log', daemon.log],
    ])}${guests.join('')}\n`;
  },
});

export const daemonStop = defineOperation({
  name: 'daemon.stop',
  title: 'Stop the daemon',
  summary: 'Stop the background process; guests keep running and the next one takes them over',
  details:
    'Running calls finish first, for half a minute at most; with --force they are cut off at once, and a daemon that hangs is killed.',
  effect: 'write',
  place: 'front',
  positionals: [],
  input: daemonStopInput,
  output: daemonStopOutput,
  examples: [{ why: 'Before pyro is removed', command: 'pyro daemon stop' }],
  run: async (context, input) => ({
    stopped: await controlOf(context).stop(input, context.signal),
  }),
  render: ({ stopped }) => (stopped ? 'the daemon has stopped\n' : 'no daemon is running\n'),
});

function diskText(free: number): string {
  const text = `${formatBytes(free)} free`;
  if (free < leastRoom) return `${text}: too little for new work, which needs ${formatBytes(leastRoom)}; pyro df`;
  if (free < scarceRoom) return `${text}: little; below ${formatBytes(leastRoom)} new work is refused; pyro df`;
  return text;
}

function controlOf({ daemon }: OperationContext): NonNullable<OperationContext['daemon']> {
  if (daemon === undefined) throw new PyroError('internal', 'a daemon cannot be asked about itself');
  return daemon;
}
