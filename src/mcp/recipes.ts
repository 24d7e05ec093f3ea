// The recipes as prompts: five ways of working that are tried end to end.
import type { GetPromptResult, Prompt } from '@modelcontextprotocol/server';
import type { ToolEntry } from './tools.ts';

interface Recipe {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** Tools without which it cannot be followed */
  readonly needs: readonly string[];
  readonly mode: string;
  readonly steps: readonly string[];
}

const recipes: readonly Recipe[] = [
  {
    name: 'cold-start-repo-validation',
    title: 'Does a fresh clone work?',
    description: 'Install, start and check the project in a clean computer, and report what was missing',
    needs: ['workspace_exec', 'service_start'],
    mode: '--mode cold-start',
    steps: [
      'Create a workspace from the project with workspace_create; note its workspace_id.',
      'Read the README as a newcomer would (workspace_file_read) and list the commands it promises.',
      'Run setup and validation with workspace_exec, one step at a time; record the exit codes.',
      'Start the program with service_start and a readiness probe; wait until its state is running.',
      'Probe it with workspace_exec, and read its output with service_logs.',
      'Write a short report into the workspace and fetch it with workspace_export.',
      'Stop the service, then delete the workspace. Say what worked, what failed, and what the README left out.',
    ],
  },
  {
    name: 'repro-fix-loop',
    title: 'Reproduce, fix, prove',
    description: 'Reproduce a bug in isolation, fix it, prove the fix and bring the patch back',
    needs: ['workspace_exec', 'workspace_patch_apply', 'workspace_diff'],
    mode: '--mode repro-fix',
    steps: [
      'Create a workspace from the project with workspace_create; note its workspace_id.',
      'Read the files that the bug report points to.',
      'Run the failing check with workspace_exec and make sure that it fails for the reported reason.',
      'Change the code with workspace_patch_apply or workspace_file_write.',
      'Run the check again; it must pass. Run the neighbouring tests too.',
      'Check that workspace_diff contains only what the fix needs. Show it, or write it with workspace_export.',
      'If an attempt was wrong, workspace_reset brings the seed back; the diff is then empty.',
      'Delete the workspace once the patch is back.',
    ],
  },
  {
    name: 'parallel-workspaces',
    title: 'Two attempts side by side',
    description: 'Try two approaches in separate computers made from the same seed, and compare them',
    needs: ['workspace_create', 'workspace_update', 'workspace_list'],
    mode: '--profile workspace-core',
    steps: [
      'Create two workspaces from the same project, named after the approaches (name, labels).',
      'Follow one approach in each; what happens in one is never seen in the other.',
      'Keep the state of each in its labels with workspace_update; workspace_list shows the last used one first.',
      'Run the same check in both and compare exit codes, times and workspace_diff.',
      'Bring back the better patch, then delete both workspaces.',
    ],
  },
  {
    name: 'untrusted-inspection',
    title: 'Inspect untrusted code',
    description: 'Read and run suspicious code without a network, and export nothing but a report',
    needs: ['workspace_create', 'workspace_file_list', 'workspace_file_read', 'workspace_exec', 'workspace_export'],
    mode: '--mode inspect',
    steps: [
      'Create a workspace with the code; workspace_status must say network_policy off.',
      'List everything with workspace_file_list (recursive) before you run anything.',
      'Read install scripts, hooks and whatever fetches or decodes something.',
      'Search with workspace_exec (grep for curl, wget, eval, base64, ssh) and collect the lines in a report file.',
      'Run a suspicious part only when reading leaves a question; it has no network.',
      'Fetch the report alone with workspace_export, then delete the workspace.',
      'Report findings with file and line, and what you did not look at.',
    ],
  },
  {
    name: 'review-eval-workflows',
    title: 'Review with a way back',
    description: 'Review or score a change by a checklist, from one state that every attempt returns to',
    needs: ['workspace_exec', 'snapshot_create', 'shell_open'],
    mode: '--mode review-eval',
    steps: [
      'Create a workspace from the project and take a snapshot named pre-review with snapshot_create.',
      'Open a shell with shell_open, read the checklist in it, and close it.',
      'Run the review script with workspace_exec and record its exit code.',
      'Try what could break it: change an artifact with workspace_file_write and run the review again.',
      'Go back with workspace_reset to pre-review and make sure that the artifact is as it was.',
      'Run once more, read workspace_summary, and fetch the report with workspace_export.',
      'Delete the workspace. Give a verdict for each point of the checklist.',
    ],
  },
];

export function listPrompts(): Prompt[] {
  return recipes.map(({ name, title, description }) => ({
    name,
    title,
    description,
    arguments: [{ name: 'task', description: 'What this is about: a bug, a change, a question', required: false }],
  }));
}

/** Undefined when there is no such recipe. */
export function getPrompt(
  name: string,
  task: string | undefined,
  tools: readonly ToolEntry[],
): GetPromptResult | undefined {
  const recipe = recipes.find((each) => each.name === name);
  if (recipe === undefined) return undefined;
  const missing = recipe.needs.filter((need) => !tools.some((tool) => tool.name === need));
  const lines = [
    `${recipe.description}.`,
    ...(task === undefined || task.trim() === '' ? [] : [`Task: ${task.trim()}`]),
    ...(missing.length === 0
      ? []
      : [
          `This server lacks ${missing.join(', ')}; the full recipe needs: pyro mcp serve ${recipe.mode}. Follow the steps that remain.`,
        ]),
    'Steps:',
    ...recipe.steps.map((step, index) => `${index + 1}. ${step}`),
  ];
  return {
    description: recipe.title,
    messages: [{ role: 'user', content: { type: 'text', text: lines.join('\n') } }],
  };
}
