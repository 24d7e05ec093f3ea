// workspace.service.start, list, status, stop: programs that stay up in a workspace.
import { z } from 'zod';
import { formatTable } from '../shared/table.ts';
import { defineOperation } from './define.ts';
import { describeService, type ServiceOutput, serviceInput, serviceSchema } from './service-shapes.ts';
import { portsField, secretEnvField } from './word-forms.ts';
import { envField, formatTime, secretWords, workspaceIdField, workspacesOf } from './workspace-scalars.ts';

const profiles = ['workspace-full'] as const;

export const serviceStart = defineOperation({
  name: 'workspace.service.start',
  title: 'Start a service',
  summary: 'Start a program that stays up, and wait until it is ready',
  details:
    'Without a ready_ field it counts as ready at once; all that are given must hold at the same time. One that does not get ready is stopped: state failed, stop_reason process_exited_before_ready or readiness_timeout; service_logs says why. A service of the same name that is over is replaced, its logs too.',
  effect: 'write',
  place: 'daemon',
  tool: { profiles, name: 'service_start', opensWorld: true },
  commandDefaults: { wait_seconds: 3600 },
  positionals: ['workspace_id', 'service_name'],
  rest: 'command',
  input: z.strictObject({
    ...serviceInput,
    command: z.string().min(1).max(131_072).describe('Shell command line that stays in the foreground'),
    cwd: z.string().optional().describe('Working directory; relative ones are under /workspace'),
    env: envField,
    secret_env: secretEnvField,
    ready_file: z.string().min(1).max(4096).optional().describe('Ready when this file exists'),
    ready_tcp: z
      .string()
      .regex(/^(?:[^:\s]*:|\[[0-9a-fA-F:]+\]:)?\d{1,5}$/, 'it is PORT or HOST:PORT')
      .optional()
      .describe('Ready when this PORT or HOST:PORT accepts connections'),
    ready_http: z
      .url({ protocol: /^https?$/ })
      .max(2000)
      .optional()
      .describe('Ready when this URL answers with a status below 400'),
    ready_command: z.string().min(1).max(131_072).optional().describe('Ready when this command line exits with 0'),
    ready_timeout_seconds: z.number().min(1).max(3600).default(30).describe('Longest time to get ready, seconds'),
    ready_interval_ms: z.number().int().min(50).max(60_000).default(500).describe('Time between two looks, ms'),
    restart_policy: z
      .enum(['never', 'on-failure', 'always'])
      .default('never')
      .describe('Whether it comes back when it ends by itself; always also after its workspace was off'),
    published_ports: portsField,
    wait_seconds: z.number().min(0).max(3600).default(40).describe('Longest wait for readiness, seconds; it goes on'),
  }),
  output: serviceSchema,
  examples: [
    {
      why: 'A web server, up when it answers',
      command:
        'pyro workspace service start 6f1e538c0e71 web --ready-http http://localhost:8000/ -- python3 -m http.server',
    },
  ],
  run: async (context, input) =>
    await workspacesOf(context).services.start(
      input.workspace_id,
      {
        name: input.service_name,
        command: input.command,
        cwd: input.cwd,
        env: input.env,
        secretEnv: secretWords(input.secret_env),
        readyFile: input.ready_file,
        readyTcp: input.ready_tcp,
        readyHttp: input.ready_http,
        readyCommand: input.ready_command,
        readyTimeoutMs: input.ready_timeout_seconds * 1000,
        readyIntervalMs: input.ready_interval_ms,
        restartPolicy: input.restart_policy,
        publishedPorts: input.published_ports.map(({ host_port: hostPort, guest_port: guestPort }) => ({
          hostPort,
          guestPort,
        })),
        waitMs: input.wait_seconds * 1000,
      },
      context,
    ),
  render: (output) => `${describeService(output)}\n`,
  exitCode: ({ state }) => (state === 'failed' ? 1 : 0),
});

export const serviceList = defineOperation({
  name: 'workspace.service.list',
  title: 'List services',
  summary: 'List the services of a workspace, also those that are over',
  details: 'By name.',
  effect: 'read',
  place: 'daemon',
  tool: { profiles, name: 'service_list', isIdempotent: true, isData: true },
  positionals: ['workspace_id'],
  input: z.strictObject({ workspace_id: workspaceIdField }),
  output: z.object({
    workspace_id: z.string(),
    count: z.number(),
    running_count: z.number().describe('Those that start, run or restart'),
    services: z.array(serviceSchema),
  }),
  examples: [{ why: 'What is up', command: 'pyro workspace service list 6f1e538c0e71' }],
  run: async (context, { workspace_id: id }) => await workspacesOf(context).services.list(id),
  render: ({ services }, width) => `${formatTable([head, ...services.map(rowOf)], width)}\n`,
});

export const serviceStatus = defineOperation({
  name: 'workspace.service.status',
  title: 'State of a service',
  summary: 'Show how a service stands',
  details: 'While it is not ready, readiness_detail says what is missing.',
  effect: 'read',
  place: 'daemon',
  tool: { profiles, name: 'service_status', isIdempotent: true, isData: true },
  positionals: ['workspace_id', 'service_name'],
  input: z.strictObject(serviceInput),
  output: serviceSchema,
  examples: [{ why: 'Is it up', command: 'pyro workspace service status 6f1e538c0e71 web' }],
  run: async (context, { workspace_id: id, service_name: name }) =>
    await workspacesOf(context).services.status(id, name, context),
  render: (output) => `${describeService(output)}\n`,
});

export const serviceStop = defineOperation({
  name: 'workspace.service.stop',
  title: 'Stop a service',
  summary: 'Stop a service: TERM, and KILL after 5 s',
  details: 'Its logs stay. It does not come back by itself then.',
  effect: 'write',
  place: 'daemon',
  tool: { profiles, name: 'service_stop', isIdempotent: true, isData: true },
  positionals: ['workspace_id', 'service_name'],
  input: z.strictObject(serviceInput),
  output: serviceSchema,
  examples: [{ why: 'Done with it', command: 'pyro workspace service stop 6f1e538c0e71 web' }],
  run: async (context, { workspace_id: id, service_name: name }) =>
    await workspacesOf(context).services.stop(id, name, context),
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
