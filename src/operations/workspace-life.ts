// workspace.create, status, update, reset: the life of a workspace.

import {
  createInput,
  resetInput,
  statusInput,
  statusOutput,
  updateInput,
  workspaceSchema,
} from '../contract/workspaces.ts';
import { defaultEnvironment } from '../shared/policy-types.ts';
import { formatFacts } from '../shared/table.ts';
import { formatBytes, formatCount } from '../shared/units.ts';
import { defineOperation } from './define.ts';
import { changedText, createdText } from './model-texts.ts';
import { core, stateText, toldFields, type WorkspaceOutput, workspacesOf } from './workspace-scalars.ts';

function describe(
  workspace: WorkspaceOutput,
  width: number | undefined,
  more: readonly (readonly string[])[] = [],
): string {
  const seed = workspace.workspace_seed;
  const from = seed.seed_path === null ? 'empty' : `${seed.mode} ${seed.seed_path} (${seed.origin_kind})`;
  const details = [
    ...(seed.commit === null ? [] : [`commit ${seed.commit.slice(0, 12)}`]),
    ...(seed.branch === null ? [] : [`branch ${seed.branch}`]),
    ...(seed.dirty === true ? ['with uncommitted changes'] : []),
    ...(seed.seed_path === null
      ? []
      : [`${formatCount(seed.entry_count, 'entry', 'entries')}, ${formatBytes(seed.bytes_written)}`]),
    ...Object.entries(seed.left_out).flatMap(([what, count]) => (count > 0 ? [`left out ${what}: ${count}`] : [])),
  ];
  const labels = Object.entries(workspace.labels).map(([key, value]) => `${key}=${value}`);
  return `${formatFacts(
    [
      ['workspace', workspace.workspace_id],
      ...(workspace.name === null ? [] : [['name', workspace.name]]),
      ...(labels.length === 0 ? [] : [['labels', labels.join(' ')]]),
      ['state', stateText(workspace.state, workspace.state_reason ?? workspace.stop_reason)],
      ['environment', `${workspace.environment} ${workspace.environment_version.slice(0, 19)}`],
      ['size', `${workspace.vcpu_count} CPU, ${workspace.mem_mib} MiB memory, ${workspace.disk_mib} MiB disk`],
      ['network', workspace.network_policy],
      ...(workspace.package_sources === 'none' ? [] : [['package sources', workspace.package_sources]]),
      ['seed', [from, ...details].join(', ')],
      ['path', workspace.workspace_path],
      ['idle limit', workspace.ttl_seconds === 0 ? 'none' : `${workspace.ttl_seconds} s`],
      ['commands', String(workspace.command_count)],
      ['resets', String(workspace.reset_count)],
      ...(workspace.restarted ? [['restarted', 'yes, from its disk']] : []),
      ...(workspace.note === null ? [] : [['note', workspace.note]]),
      ...more,
    ],
    width,
  )}\n`;
}

export const workspaceCreate = defineOperation({
  name: 'workspace.create',
  title: 'Create a workspace',
  summary: 'Create a disposable Linux machine with the project in /workspace',
  details:
    'Without seed_path it gets the project of the server, if there is one: tracked files and untracked ones that Git does not ignore, as they are on disk, with the last 50 commits; never ignored files or credentials. It lives until it is deleted; idle ones are stopped and restart by themselves.',
  effect: 'write',
  place: 'daemon',
  tool: {
    profiles: core,
    isAlwaysLoaded: true,
    isData: true,
    hiddenFields: ['empty'],
    silentFields: [
      'created_at',
      'last_activity_at',
      'command_count',
      'reset_count',
      'service_count',
      'running_service_count',
    ],
  },
  hostPathFields: ['seed_path', 'secrets'],
  pipedFields: ['secrets'],
  commandDefaults: { wait_seconds: 3600, environment: defaultEnvironment },
  settings: ['environment', 'vcpu_count', 'mem_mib', 'disk_mib', 'ttl_seconds', 'network_policy', 'package_sources'],
  short: 'create',
  takesCheckout: true,
  positionals: ['environment'],
  input: createInput,
  output: workspaceSchema,
  examples: [
    { why: 'From the checkout around this folder', command: 'pyro workspace create' },
    { why: 'From another folder', command: 'pyro workspace create debian:12 --seed-path ~/src/app' },
    { why: 'An empty workspace', command: 'pyro workspace create debian:12 --empty' },
    { why: 'In a script', command: 'id=$(pyro workspace create --seed-path . --quiet)' },
    {
      why: 'npm, pip, apt, Go and Cargo load packages as on this machine; nothing else is reachable',
      command: 'pyro workspace create node:24 --seed-path . --package-sources host',
    },
    {
      why: 'With a secret that never appears on a command line',
      command: 'printf %s "$TOKEN" | pyro workspace create debian:12 --secret TOKEN=-',
    },
  ],
  run: async (context, input) => await workspacesOf(context).create(input, context),
  render: (workspace, width) => describe(workspace, width),
  renderModel: createdText,
  ids: ({ workspace_id: id }) => [id],
});

export const workspaceStatus = defineOperation({
  name: 'workspace.status',
  title: 'Status of a workspace',
  summary: 'Show state, seed, accelerator, memory and disk use of a workspace',
  details: 'It starts nothing: a stopped workspace stays stopped.',
  effect: 'read',
  place: 'daemon',
  tool: { profiles: core, isIdempotent: true, isData: true },
  findsWorkspace: true,
  positionals: ['workspace_id'],
  input: statusInput,
  output: statusOutput,
  examples: [{ why: 'Its state', command: 'pyro workspace status 6f1e538c0e71' }],
  run: async (context, input) => await workspacesOf(context).status(input, context),
  render: (output, width) =>
    describe(output, width, [
      ['accelerator', output.accelerator],
      ['idle', `${output.idle_seconds} s`],
      ['memory used', output.memory_used_bytes === null ? '-' : formatBytes(output.memory_used_bytes)],
      ['disk used', formatBytes(output.disk_used_bytes)],
      ['running commands', output.running_sequences.join(' ') || '-'],
    ]),
});

export const workspaceUpdate = defineOperation({
  name: 'workspace.update',
  title: 'Rename or label a workspace',
  summary: 'Change the name and labels of a workspace',
  details: 'Given labels are set, others stay.',
  effect: 'write',
  place: 'daemon',
  tool: { profiles: core, isIdempotent: true, isData: true, silentFields: toldFields },
  positionals: ['workspace_id'],
  input: updateInput,
  output: workspaceSchema,
  examples: [{ why: 'A label', command: 'pyro workspace update 6f1e538c0e71 --label task=42' }],
  run: async (context, input) => await workspacesOf(context).update(input, context),
  render: (workspace, width) => describe(workspace, width),
  renderModel: changedText,
});

export const workspaceReset = defineOperation({
  name: 'workspace.reset',
  title: 'Reset a workspace',
  summary: 'Put the whole guest back to its seed',
  details:
    'The new state is prepared first and then replaces the old one, so a failure leaves the workspace as it was. Running commands end; the history stays.',
  effect: 'destroy',
  place: 'daemon',
  tool: { profiles: core, isData: true, silentFields: toldFields },
  positionals: ['workspace_id'],
  input: resetInput,
  output: workspaceSchema,
  examples: [{ why: 'Back to the seed', command: 'pyro workspace reset 6f1e538c0e71' }],
  run: async (context, input) => await workspacesOf(context).reset(input, context),
  render: (workspace, width) => describe(workspace, width),
  renderModel: changedText,
});
