// Modes: for each job the tools it needs, what is fixed in them, and how the work goes. Tools that do not exist yet are absent.
import type { ServerOptions } from '../shared/server-options.ts';

export type ModeName = NonNullable<ServerOptions['mode']>;

export interface Mode {
  readonly tools: readonly string[];
  /** How the job goes, for the instructions */
  readonly purpose: string;
  /** Sentence added to the description of a tool */
  readonly notes: Readonly<Record<string, string>>;
  /** Fields that the mode decides; they vanish from the schema */
  readonly fixed: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

const fixTools = [
  'workspace_create',
  'workspace_status',
  'workspace_exec',
  'workspace_exec_signal',
  'workspace_logs',
  'workspace_file_list',
  'workspace_file_read',
  'workspace_file_write',
  'workspace_patch_apply',
  'workspace_diff',
  'workspace_export',
  'workspace_summary',
  'workspace_reset',
  'workspace_delete',
] as const;

const serviceTools = ['service_start', 'service_list', 'service_status', 'service_logs', 'service_stop'] as const;
const shellTools = [
  'shell_open',
  'shell_read',
  'shell_write',
  'shell_resize',
  'shell_signal',
  'shell_close',
  'shell_list',
] as const;
const snapshotTools = ['snapshot_create', 'snapshot_list', 'snapshot_delete'] as const;

export const modes: Readonly<Record<ModeName, Mode>> = {
  'repro-fix': {
    tools: fixTools,
    purpose:
      'Job: reproduce a bug, fix it, prove the fix, bring the patch back. Run the failing check before and after.',
    notes: {
      workspace_exec: 'Run the failing check first, and again after the fix.',
      workspace_diff: 'The patch to bring back once the check passes.',
      workspace_reset: 'Back to the seed when an attempt was wrong.',
    },
    fixed: {},
  },
  inspect: {
    tools: [
      'workspace_create',
      'workspace_status',
      'workspace_file_list',
      'workspace_file_read',
      'workspace_exec',
      'workspace_logs',
      'workspace_export',
      'workspace_summary',
      'workspace_delete',
    ],
    purpose: 'Job: inspect untrusted code. There is no network. Read before you run; export only your report.',
    notes: {
      workspace_create: 'The network is off and stays off.',
      workspace_exec: 'Nothing here can reach a network.',
      workspace_export: 'For the report, not for files of the untrusted code.',
    },
    fixed: { workspace_create: { network_policy: 'off', package_sources: 'none' } },
  },
  'cold-start': {
    tools: [...fixTools, ...serviceTools],
    purpose: 'Job: prove that a fresh clone installs, starts and passes its checks, and record what was missing.',
    notes: {
      workspace_exec: 'Follow the project README as a newcomer would.',
      service_start: 'Give a readiness probe, so that the next step finds a service that answers.',
    },
    fixed: {},
  },
  'review-eval': {
    tools: [...fixTools, ...shellTools, ...snapshotTools, 'workspace_fork'],
    purpose: 'Job: review or score a change. Take a snapshot first; each attempt starts with a reset to it.',
    notes: {
      snapshot_create: 'Take one before the first attempt.',
      workspace_reset: 'Reset to the snapshot between attempts.',
    },
    fixed: {},
  },
};
