// workspace.service.logs: what a service has written, its newest lines or page by page, even while it comes.

import { serviceLogsInput, serviceLogsOutput } from '../contract/services.ts';
import { defineOperation } from './define.ts';
import { followService } from './service-follow.ts';
import { describeService } from './service-shapes.ts';
import { workspacesOf } from './workspace-scalars.ts';

export const serviceLogs = defineOperation({
  name: 'workspace.service.logs',
  title: 'Output of a service',
  summary: 'Read the newest output of a service, or follow it',
  details:
    'Without a cursor: the last tail_lines of each stream. With stream and cursor: that stream from this byte on; next_cursor is where to continue, null at the end. stdout_bytes and stderr_bytes of any result are such cursors. wait_seconds waits for more. The newest 16 MiB of each stream are kept.',
  effect: 'read',
  place: 'daemon',
  tool: { profiles: ['workspace-full'], name: 'service_logs', resultChars: 100_000 },
  showsContent: true,
  commandDefaults: { limit: 16_777_216 },
  positionals: ['workspace_id', 'service_name'],
  input: serviceLogsInput,
  output: serviceLogsOutput,
  examples: [
    { why: 'What it printed', command: 'pyro workspace service logs 6f1e538c0e71 web' },
    {
      why: 'What it prints from now on, until Ctrl-C',
      command: 'pyro workspace service logs 6f1e538c0e71 web --follow',
    },
    {
      why: 'What it prints next',
      command: 'pyro workspace service logs 6f1e538c0e71 web --stream stdout --cursor 4096 --wait-seconds 30',
    },
  ],
  run: async (context, input) => await workspacesOf(context).services.logs(input, context),
  render: (output) => {
    const notes = [
      describeService(output),
      `stdout ${output.stdout_bytes} bytes, stderr ${output.stderr_bytes} bytes in all`,
      ...(output.next_cursor === null ? [] : [`next_cursor ${output.next_cursor}`]),
      ...(output.truncated ? ['there is more'] : []),
      ...(output.dropped_bytes > 0 ? [`${output.dropped_bytes} bytes at the cursor are no longer kept`] : []),
      ...(output.is_utf8 ? [] : ['non-UTF-8 bytes were replaced']),
    ];
    return `${notes.join('; ')}\n${section('stdout', output.stdout)}${section('stderr', output.stderr)}`;
  },
  renderCommand: ({ stdout, stderr }) => ({ stdout, stderr, isContent: true }),
  follow: followService,
});

function section(name: string, text: string): string {
  return text === '' ? '' : `--- ${name}\n${text}${text.endsWith('\n') ? '' : '\n'}`;
}
