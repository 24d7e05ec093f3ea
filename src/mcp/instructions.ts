// What a host tells its model about this server: rules first, within what every host shows.
import { permitsPorts, wayOutOf } from '../shared/policy-types.ts';
import type { ServerOptions } from '../shared/server-options.ts';
import { modes } from './modes.ts';
import type { ToolEntry } from './tools.ts';

/** Longest text that all hosts show whole is 2,048 characters. */
export const longestInstructions = 2000;

const rules = [
  'pyro gives you disposable Linux computers (microVMs). Nothing that runs in one can harm this machine.',
  'Rules:',
  '1. Run builds, tests and unreviewed code in a workspace, not on the host.',
  '2. One workspace per task: create it once, keep its workspace_id, reset it rather than create another.',
  '3. The workspace is a copy. Nothing comes back by itself: show workspace_diff, or write files with workspace_export.',
  '4. You are root in /workspace; install what you need. Idle workspaces are stopped, not lost, and restart by themselves.',
  '5. A command longer than wait_seconds keeps running: follow it with workspace_logs (sequence, wait_seconds), do not rerun it.',
  '6. Results are short; if one says truncated or next_cursor, ask for the rest only if you need it.',
  '7. An error has a code and a hint that names the next step; retry those marked retryable.',
  '8. Delete a workspace once its work is back on the host.',
];

const oneShotRules = [
  'pyro runs a command in a fresh disposable Linux computer (microVM) and then deletes it. Nothing is kept, nothing reaches this machine.',
];

/** `cached` are the environments that need not be fetched first. */
export function instructionsFor(
  options: ServerOptions,
  tools: readonly ToolEntry[],
  cached: readonly string[] = [],
): string {
  const hasWorkspaces = tools.some(({ name }) => name === 'workspace_create');
  const lines = [
    ...(hasWorkspaces ? rules : oneShotRules),
    ...(options.mode === undefined ? [] : [modes[options.mode].purpose]),
    ...(hasWorkspaces ? [`Project: ${projectLine(options)}`] : []),
    `Environment unless a call names one: ${options.environment === 'auto' ? 'chosen by the project’s lock files; the result says which and why' : options.environment}.${cached.length === 0 ? '' : ` Cached: ${cached.join(', ').slice(0, 300)}; others are fetched first.`}`,
    `Network: ${networkLine(options, tools)}`,
  ];
  return lines.join('\n').slice(0, longestInstructions);
}

function projectLine(options: ServerOptions): string {
  if (options.no_project_source) return 'none; workspaces start empty unless seed_path is given.';
  const source = options.project_path ?? options.repo_url;
  if (source === undefined) return 'the folder that you work in; workspace_create uses it by default.';
  const ref = options.repo_ref === undefined ? '' : ` at ${options.repo_ref}`;
  return `${source.replace(/\/\/[^/@]*@/, '//').slice(0, 200)}${ref}; workspace_create uses it by default.`;
}

function networkLine(
  { network_policy: policy, allow, package_sources: packages }: ServerOptions,
  tools: readonly ToolEntry[],
): string {
  const managers = 'npm, pip, apt, Go and Cargo load packages as on the host';
  const hasPorts = permitsPorts(policy) && tools.some(({ name }) => name === 'service_start');
  const ports = hasPorts ? ' Services may publish ports on 127.0.0.1: published_ports.' : '';
  if (wayOutOf(policy) === 'off' && packages !== 'none') return `${managers}; nothing else is reachable.${ports}`;
  if (wayOutOf(policy) === 'off') return `off; workspaces reach nothing, so vendor what a build needs.${ports}`;
  const hosts = allow.length === 0 ? 'public addresses' : allow.join(', ').slice(0, 200);
  return `${policy}, at most: ${hosts}${packages === 'none' ? '' : `; ${managers}`}. Ask for less with network_policy off.${ports}`;
}
