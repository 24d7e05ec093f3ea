// One whole turn as data: make a workspace, see the check fail, mend it, see it pass, bring the patch home.
import { join } from 'node:path';
import type { Step } from './scripted-model.ts';

export interface TurnStep extends Step {
  /** What the model must be shown */
  readonly shows: RegExp;
}

export const projectFiles: Readonly<Record<string, string>> = {
  'greet.sh': 'echo "helo $1"\n',
  'check.sh': '[ "$(sh greet.sh you)" = "hello you" ] && echo the check passes || { echo the check fails; exit 1; }\n',
};

const patch = '--- a/greet.sh\n+++ b/greet.sh\n@@ -1 +1 @@\n-echo "helo $1"\n+echo "hello $1"\n';
const workspace = { workspace_id: '{{workspace_id}}' };

export function reproTurn(project: string): readonly TurnStep[] {
  return [
    { tool: 'workspace_create', input: { name: 'repro' }, shows: /\b[0-9a-f]{12}\b/ },
    { tool: 'workspace_file_read', input: { ...workspace, path: 'greet.sh' }, shows: /helo/ },
    { tool: 'workspace_exec', input: { ...workspace, command: 'sh check.sh' }, shows: /the check fails/ },
    { tool: 'workspace_patch_apply', input: { ...workspace, patch }, shows: /greet\.sh/ },
    { tool: 'workspace_exec', input: { ...workspace, command: 'sh check.sh' }, shows: /the check passes/ },
    { tool: 'workspace_diff', input: workspace, shows: /\+echo/ },
    {
      tool: 'workspace_export',
      input: { ...workspace, format: 'patch', output_path: join(project, 'fix.patch') },
      shows: /fix\.patch/,
    },
    { tool: 'workspace_delete', input: workspace, shows: /delet/i },
  ];
}
