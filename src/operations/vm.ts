// vm.*: guests without a project and without names, for programs written for the older interface; workspaces underneath.

import type { z } from 'zod';
import { execInput } from '../contract/commands.ts';
import {
  vmCreateInput,
  vmDeleteInput,
  vmDeleteOutput,
  vmExecInput,
  vmExecOutput,
  vmListEnvironmentsInput,
  vmListEnvironmentsOutput,
  vmNetworkInfoInput,
  vmNetworkInfoOutput,
  vmReapExpiredInput,
  vmReapExpiredOutput,
  vmSchema,
  vmStartInput,
  vmStatusInput,
  vmStopInput,
} from '../contract/run.ts';
import type { WorkspaceView } from '../contract/workspaces.ts';
import { createInput, deleteInput } from '../contract/workspaces.ts';
import { PyroError } from '../shared/errors.ts';
import { defineOperation, type OperationContext } from './define.ts';
import { envList } from './env.ts';
import { workspacesOf } from './workspace-scalars.ts';

const full = ['workspace-full'] as const;
const kindLabel = 'pyro.kind';
const common = { place: 'daemon', isToolOnly: true, positionals: ['vm_id'] } as const;

type Vm = z.infer<typeof vmSchema>;

function toVm(view: WorkspaceView): Vm {
  const { workspace_id: id, environment, environment_version, vcpu_count, mem_mib, ttl_seconds } = view;
  const { created_at, expires_at, state } = view;
  const size = { vcpu_count, mem_mib, ttl_seconds, created_at, expires_at };
  const isOpen = view.network_policy !== 'off';
  return {
    vm_id: id,
    environment,
    environment_version,
    ...size,
    state,
    network_enabled: isOpen,
    execution_mode: 'guest',
  };
}

function render(vm: Vm): string {
  return `${vm.vm_id}: ${vm.state}, ${vm.environment}, ${vm.vcpu_count} CPU, ${vm.mem_mib} MiB\n`;
}

/** Throws `workspace_unknown` for a workspace that was not made by vm.create. */
async function find(context: OperationContext, id: string): Promise<WorkspaceView> {
  const view = await workspacesOf(context).status({ workspace_id: id }, context);
  if (view.labels[kindLabel] === 'vm') return view;
  throw new PyroError('workspace_unknown', `${id} is a workspace, not a guest of vm_create`, {
    hint: 'use the workspace tools for it',
  });
}

export const vmListEnvironments = defineOperation({
  ...envList.definition,
  name: 'vm.list_environments',
  title: 'List environments',
  tool: { profiles: full, isIdempotent: true, isData: true },
  isToolOnly: true,
  input: vmListEnvironmentsInput,
  output: vmListEnvironmentsOutput,
  run: async ({ engine }) => ({
    environments: (await engine.listEnvironments()).map(({ name, description, installed }) => ({
      name,
      description,
      installed,
    })),
  }),
  render: ({ environments }) =>
    environments.map((each) => `${each.name}${each.installed ? '' : ' (not cached)'}: ${each.description}\n`).join(''),
});

export const vmCreate = defineOperation({
  ...common,
  name: 'vm.create',
  title: 'Create a guest',
  summary: 'Create an empty guest that lives until it is deleted',
  details: 'A workspace without a project: workspace_create is the better tool for work on a repository.',
  effect: 'write',
  tool: { profiles: full },
  positionals: ['environment'],
  input: vmCreateInput,
  output: vmSchema,
  examples: [{ why: 'A guest', command: 'vm_create environment=debian:12' }],
  run: async (context, input) =>
    toVm(
      await workspacesOf(context).create(
        createInput.parse({ ...input, empty: true, labels: { [kindLabel]: 'vm' } }),
        context,
      ),
    ),
  render,
});

export const vmStart = defineOperation({
  ...common,
  name: 'vm.start',
  title: 'Start a guest',
  summary: 'Start a guest that is stopped',
  details: 'A running one stays as it is.',
  effect: 'write',
  tool: { profiles: full, isIdempotent: true, isData: true },
  input: vmStartInput,
  output: vmSchema,
  examples: [{ why: 'On', command: 'vm_start vm_id=6f1e538c0e71' }],
  run: async (context, { vm_id: id }) => {
    await find(context, id);
    return toVm(await workspacesOf(context).start({ workspace_id: id }, context));
  },
  render,
});

export const vmStop = defineOperation({
  ...common,
  name: 'vm.stop',
  title: 'Stop a guest',
  summary: 'Stop a guest; its disk stays',
  details: 'vm_start brings it back.',
  effect: 'write',
  tool: { profiles: full, isIdempotent: true, isData: true },
  input: vmStopInput,
  output: vmSchema,
  examples: [{ why: 'Off', command: 'vm_stop vm_id=6f1e538c0e71' }],
  run: async (context, { vm_id: id }) => {
    await find(context, id);
    return toVm(await workspacesOf(context).stop({ workspace_id: id }, context));
  },
  render,
});

export const vmStatus = defineOperation({
  ...common,
  name: 'vm.status',
  title: 'Status of a guest',
  summary: 'Show the state of a guest',
  details: 'Starts nothing.',
  effect: 'read',
  tool: { profiles: full, isIdempotent: true, isData: true },
  input: vmStatusInput,
  output: vmSchema,
  examples: [{ why: 'Its state', command: 'vm_status vm_id=6f1e538c0e71' }],
  run: async (context, { vm_id: id }) => toVm(await find(context, id)),
  render,
});

export const vmExec = defineOperation({
  ...common,
  name: 'vm.exec',
  title: 'Run a command in a guest',
  summary: 'Run a shell command line in a guest',
  details: 'workspace_logs with the same id has the full output.',
  effect: 'write',
  tool: { profiles: full },
  input: vmExecInput,
  output: vmExecOutput,
  examples: [{ why: 'A command', command: 'vm_exec vm_id=6f1e538c0e71 command="uname -a"' }],
  run: async (context, { vm_id: given, command, timeout_seconds: seconds }) => {
    const { workspace_id: id } = await find(context, given);
    const request = { workspace_id: id, command, cwd: '/', timeout_seconds: seconds, wait_seconds: seconds + 5 };
    const result = await workspacesOf(context).exec(execInput.parse(request), { ...context, io: undefined });
    const { stdout, stderr, exit_code, truncated, timed_out, duration_ms, sequence } = result;
    return {
      vm_id: id,
      command,
      stdout,
      stderr,
      exit_code,
      truncated,
      timed_out,
      duration_ms,
      sequence,
      execution_mode: 'guest' as const,
    };
  },
  render: (output) =>
    `exit_code ${output.exit_code}, ${output.duration_ms} ms, sequence ${output.sequence}${output.truncated ? ', output cut' : ''}${output.timed_out ? ', timed out' : ''}\n--- stdout\n${output.stdout}\n--- stderr\n${output.stderr}\n`,
});

export const vmDelete = defineOperation({
  ...common,
  name: 'vm.delete',
  title: 'Delete a guest',
  summary: 'Delete a guest with everything in it',
  details: 'This cannot be undone.',
  effect: 'destroy',
  tool: { profiles: full },
  input: vmDeleteInput,
  output: vmDeleteOutput,
  examples: [{ why: 'Delete it', command: 'vm_delete vm_id=6f1e538c0e71' }],
  run: async (context, { vm_id: given }) => {
    const { workspace_id: id } = await find(context, given);
    await workspacesOf(context).delete(deleteInput.parse({ workspace_id: id }), context);
    return { vm_id: id, deleted: true, reason: 'explicit_delete' };
  },
  render: ({ vm_id: id }) => `deleted ${id}\n`,
});

export const vmNetworkInfo = defineOperation({
  ...common,
  name: 'vm.network_info',
  title: 'Network of a guest',
  summary: 'Say whether a guest has network access',
  details: 'No guest has a network card: allowed connections go through the host, which decides on each one.',
  effect: 'read',
  tool: { profiles: full, isIdempotent: true, isData: true },
  input: vmNetworkInfoInput,
  output: vmNetworkInfoOutput,
  examples: [{ why: 'Can it reach anything?', command: 'vm_network_info vm_id=6f1e538c0e71' }],
  run: async (context, { vm_id: given }) => {
    const { workspace_id: id, network_policy: policy } = await find(context, given);
    const isOpen = policy !== 'off';
    const reason = isOpen ? 'connections go through the host, by its policy' : 'its network policy is off';
    return { vm_id: id, network_enabled: isOpen, outbound_connectivity_expected: isOpen, reason };
  },
  render: ({ vm_id: id, network_enabled: isOpen, reason }) => `${id}: network ${isOpen ? 'on' : 'off'}, ${reason}\n`,
});

export const vmReapExpired = defineOperation({
  ...common,
  name: 'vm.reap_expired',
  title: 'Delete expired guests',
  summary: 'Delete guests of vm_create that were stopped by their idle limit',
  details: 'This never deletes workspaces.',
  effect: 'destroy',
  tool: { profiles: full },
  positionals: [],
  input: vmReapExpiredInput,
  output: vmReapExpiredOutput,
  examples: [{ why: 'Tidy up', command: 'vm_reap_expired' }],
  run: async (context) => {
    const request = { label: `${kindLabel}=vm`, state: 'stopped', limit: 500 } as const;
    const { workspaces } = await workspacesOf(context).list(request);
    const expired = workspaces.filter((each) => each.stop_reason === 'idle').map((each) => each.workspace_id);
    for (const id of expired) await workspacesOf(context).delete(deleteInput.parse({ workspace_id: id }), context);
    return { count: expired.length, deleted_vm_ids: expired };
  },
  render: ({ deleted_vm_ids: ids }) =>
    ids.length === 0 ? 'nothing expired\n' : ids.map((id) => `deleted ${id}\n`).join(''),
});
