// Recipe: candidates are judged by one script, each from the same snapshot of the whole machine.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Recipe, textIn } from './recipe.ts';
import type { Structure } from './session.ts';

const review = `#!/bin/sh
# Exit code 0 when the artifact passes; the report says so, too.
verdict=fail
grep -q '^PASS' artifact.txt && verdict=pass
echo "review=$verdict" | tee review-report.txt
[ "$verdict" = pass ]
`;

export const reviewEval: Recipe = {
  name: 'review-eval',
  page: 'review-eval-workflows',
  files: {
    'CHECKLIST.md': '# Checklist\n\n- The artifact says PASS in its first line.\n',
    'artifact.txt': 'PASS\n',
    'review.sh': review,
  },
  run: async ({ project, create, call, check }) => {
    const id = textIn(await create('review'), 'workspace_id');
    const taken = await call('snapshot_create', { workspace_id: id, snapshot_name: 'pre-review' });
    check('a snapshot is taken', taken['snapshot'], { snapshot_name: 'pre-review', kind: 'named' });
    const shell = { workspace_id: id, shell_id: textIn(await call('shell_open', { workspace_id: id }), 'shell_id') };
    await call('shell_write', { ...shell, input: 'cat CHECKLIST.md' });
    const shown = await call('shell_read', { ...shell, plain: true, wait_for: '# Checklist' });
    check('the checklist is read in a terminal', shown['output'], /# Checklist/);
    check('the terminal is closed', await call('shell_close', shell), { closed: true });
    const judge = (): Promise<Structure> => call('workspace_exec', { workspace_id: id, command: 'sh review.sh' });
    const back = async (): Promise<void> => {
      await call('workspace_reset', { workspace_id: id, snapshot: 'pre-review' });
      const artifact = await call('workspace_file_read', { workspace_id: id, path: 'artifact.txt' });
      check('the next attempt begins where the first began', artifact['content'], 'PASS\n');
    };
    check('the change itself passes', await judge(), { exit_code: 0, stdout: 'review=pass\n' });
    const write = (text: string): Promise<Structure> =>
      call('workspace_file_write', { workspace_id: id, path: 'artifact.txt', text });
    await write('FAIL\n');
    check('the review notices a bad candidate', await judge(), { exit_code: 1, stdout: 'review=fail\n' });
    await back();
    await write('PASS\nand more\n');
    check('the other candidate passes', await judge(), { exit_code: 0, stdout: 'review=pass\n' });
    const summary = await call('workspace_summary', { workspace_id: id });
    check('the summary tells of this attempt alone', summary, {
      command_count: 1,
      failed_count: 0,
      resets: 1,
      snapshots: ['pre-review'],
      additions: 2,
    });
    const report = 'review-report.txt';
    await call('workspace_export', { workspace_id: id, path: report, output_path: report });
    check('the report is at home', readFileSync(join(project, report), 'utf8'), 'review=pass\n');
    check('the workspace is gone', await call('workspace_delete', { workspace_id: id }), { deleted: true });
  },
};
