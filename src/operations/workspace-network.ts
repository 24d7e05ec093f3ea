// workspace.network: what a workspace has tried to reach, and what became of it.

import { networkInput, networkOutput } from '../contract/workspaces.ts';
import { formatTable } from '../shared/table.ts';
import { formatBytes } from '../shared/units.ts';
import { defineOperation } from './define.ts';
import { workspacesOf } from './workspace-scalars.ts';

export const workspaceNetwork = defineOperation({
  name: 'workspace.network',
  title: 'Connections of a workspace',
  summary: 'List what a workspace tried to reach, allowed and refused',
  details: 'The host resolves and judges names, outside the guest. The process is a hint from the guest, not proof.',
  effect: 'read',
  place: 'daemon',
  tool: { profiles: ['workspace-full'], isIdempotent: true, isData: true },
  findsWorkspace: true,
  positionals: ['workspace_id'],
  input: networkInput,
  output: networkOutput,
  examples: [{ why: 'What was refused', command: 'pyro workspace network 6f1e538c0e71 --denied' }],
  run: async (context, input) => await workspacesOf(context).network(input, context),
  render: ({ attempts, network_policy: policy, next_cursor }, width) => {
    if (attempts.length === 0) return `no connections; network policy ${policy}\n`;
    const rows = attempts.map((each) => [
      each.time.slice(0, 19).replace('T', ' '),
      each.verdict,
      each.port === null ? each.name : `${each.name}:${each.port}`,
      each.address ?? '-',
      `${formatBytes(each.bytes_in ?? 0)} in, ${formatBytes(each.bytes_out ?? 0)} out`,
      each.reason ?? each.rule,
    ]);
    const more = next_cursor === null ? '' : `more: cursor ${next_cursor}\n`;
    return `${formatTable([['TIME (UTC)', 'VERDICT', 'TARGET', 'ADDRESS', 'BYTES', 'RULE'], ...rows], width)}\n${more}`;
  },
});
