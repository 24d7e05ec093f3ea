// workspace.audit: what crossed the boundary of a workspace.
import { auditInput, auditOutput } from '../contract/audit.ts';
import { formatTable } from '../shared/table.ts';
import { formatBytes, formatCount } from '../shared/units.ts';
import { visible } from '../shared/visible.ts';
import { defineOperation } from './define.ts';
import { workspacesOf } from './workspace-scalars.ts';

export const workspaceAudit = defineOperation({
  name: 'workspace.audit',
  title: 'Audit log of a workspace',
  summary: 'List what crossed the boundary of a workspace, even of one that was deleted',
  details:
    'Seeds, syncs, patches, exports, applies, disks, connections, secrets by name, published ports. The file is only ever added to, and each line stands for all before it: what was changed or taken away shows.',
  effect: 'read',
  place: 'daemon',
  findsWorkspace: true,
  positionals: ['workspace_id'],
  input: auditInput,
  output: auditOutput,
  examples: [
    { why: 'Everything that went in and out', command: 'pyro workspace audit 6f1e538c0e71' },
    { why: 'What was copied out', command: 'pyro workspace audit 6f1e538c0e71 --kind export' },
  ],
  run: async (context, input) => await workspacesOf(context).audit(input),
  render: ({ entries, intact, broken_at: brokenAt, log, next_cursor: next }, width) => {
    const rows = entries.map(({ at, kind, direction, what, files, bytes }) => [
      new Date(at * 1000).toISOString().slice(0, 19).replace('T', ' '),
      kind,
      direction,
      [files === null ? '' : formatCount(files, 'file'), bytes === null ? '' : formatBytes(bytes)]
        .filter((part) => part !== '')
        .join(', '),
      visible(what),
    ]);
    const table =
      rows.length === 0
        ? 'nothing crossed the boundary\n'
        : `${formatTable([['TIME (UTC)', 'KIND', 'DIR', 'SIZE', 'WHAT'], ...rows], width)}\n`;
    const more = next === null ? '' : `more: --cursor ${next}\n`;
    const whole = intact ? '' : `line ${brokenAt} does not follow from those before it: ${log} was changed\n`;
    return `${table}${more}${whole}`;
  },
});
