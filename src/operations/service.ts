// workspace.service.start, list, status, stop: programs that stay up in a workspace.

import {
  serviceListInput,
  serviceListOutput,
  serviceSchema,
  serviceStartInput,
  serviceStatusInput,
  serviceStopInput,
} from '../contract/services.ts';
import { formatTable } from '../shared/table.ts';
import { defineOperation } from './define.ts';
import { describeService, type ServiceOutput } from './service-shapes.ts';
import { formatTime, workspacesOf } from './workspace-scalars.ts';

const profiles = ['workspace-full'] as const;

export const serviceStart = defineOperation({
  name: 'workspace.service.start',
  title: 'Start a service',
  summary: 'Start a program that keeps running, and wait until it is ready',
  details:
    'Without a ready_ field it counts as ready at once; all given ones must hold at the same time. If it does not become ready it is stopped: state failed, stop_reason process_exited_before_ready or readiness_timeout; service_logs says why. An ended service with the same name is replaced, logs included.',
  effect: 'write',
  place: 'daemon',
  tool: { profiles, name: 'service_start', opensWorld: true },
  commandDefaults: { wait_seconds: 3600 },
  positionals: ['workspace_id', 'service_name'],
  rest: 'command',
  input: serviceStartInput,
  output: serviceSchema,
  examples: [
    {
      why: 'A web server, up when it answers',
      command:
        'pyro workspace service start 6f1e538c0e71 web --ready-http http://localhost:8000/ -- python3 -m http.server',
    },
  ],
  run: async (context, input) => await workspacesOf(context).services.start(input, context),
  render: (output) => `${describeService(output)}\n`,
  exitCode: ({ state }) => (state === 'failed' ? 1 : 0),
});

export const serviceList = defineOperation({
  name: 'workspace.service.list',
  title: 'List services',
  summary: 'List the services of a workspace, even those that have ended',
  details: 'By name.',
  effect: 'read',
  place: 'daemon',
  tool: { profiles, name: 'service_list', isIdempotent: true, isData: true },
  positionals: ['workspace_id'],
  input: serviceListInput,
  output: serviceListOutput,
  examples: [{ why: 'What is up', command: 'pyro workspace service list 6f1e538c0e71' }],
  run: async (context, input) => await workspacesOf(context).services.list(input, context),
  render: ({ services }, width) => `${formatTable([head, ...services.map(rowOf)], width)}\n`,
});

export const serviceStatus = defineOperation({
  name: 'workspace.service.status',
  title: 'State of a service',
  summary: 'Show the state of a service',
  details: 'While it is not ready, readiness_detail says what is missing.',
  effect: 'read',
  place: 'daemon',
  tool: { profiles, name: 'service_status', isIdempotent: true, isData: true },
  positionals: ['workspace_id', 'service_name'],
  input: serviceStatusInput,
  output: serviceSchema,
  examples: [{ why: 'Is it up', command: 'pyro workspace service status 6f1e538c0e71 web' }],
  run: async (context, input) => await workspacesOf(context).services.status(input, context),
  render: (output) => `${describeService(output)}\n`,
});

export const serviceStop = defineOperation({
  name: 'workspace.service.stop',
  title: 'Stop a service',
  summary: 'Stop a service: TERM, then KILL after 5 s',
  details: 'Its logs stay. It does not restart by itself.',
  effect: 'write',
  place: 'daemon',
  tool: { profiles, name: 'service_stop', isIdempotent: true, isData: true },
  positionals: ['workspace_id', 'service_name'],
  input: serviceStopInput,
  output: serviceSchema,
  examples: [{ why: 'Done with it', command: 'pyro workspace service stop 6f1e538c0e71 web' }],
  run: async (context, input) => await workspacesOf(context).services.stop(input, context),
  render: (output) => `${describeService(output)}\n`,
});

const head = ['SERVICE', 'STATE', 'PID', 'STARTED', 'RESTARTS', 'PORTS', 'COMMAND'];

function rowOf(service: ServiceOutput): string[] {
  return [
    service.service_name,
    service.stop_reason === null ? service.state : `${service.state} (${service.stop_reason})`,
    service.pid === null ? '-' : `${service.pid}`,
    formatTime(service.started_at),
    `${service.restart_count}`,
    service.published_ports.map((port) => `${port.host_port}:${port.guest_port}`).join(' ') || '-',
    service.command.split('\n')[0]?.slice(0, 80) ?? '',
  ];
}
