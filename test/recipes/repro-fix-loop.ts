// Recipe: a fault is reproduced in a copy of the checkout, fixed, proved, and only then brought home as a patch.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Recipe, textIn } from './recipe.ts';

const check = `#!/bin/sh
# The test of this project.
message=$(cat message.txt)
echo "$message"
[ "$message" = fixed ] && exit 0
echo "expected fixed" >&2
exit 1
`;
const fix = '--- a/message.txt\n+++ b/message.txt\n@@ -1 +1 @@\n-broken\n+fixed\n';

export const reproFixLoop: Recipe = {
  name: 'repro-fix-loop',
  page: 'repro-fix-loop',
  files: { 'message.txt': 'broken\n', 'check.sh': check, 'notes.md': '# Notes\n' },
  uncommitted: { 'notes.md': '# Notes\n\nThe message is wrong since Tuesday.\n' },
  run: async (stage) => {
    const { project, create, call, onHost } = stage;
    const created = await create('repro');
    const id = textIn(created, 'workspace_id');
    stage.check('uncommitted changes went in', created['workspace_seed'], { mode: 'git', dirty: true, branch: 'main' });
    const place = await call('workspace_file_read', { workspace_id: id, path: 'message.txt' });
    stage.check('the place of the fault is read', place['content'], 'broken\n');
    const before = await call('workspace_exec', { workspace_id: id, command: 'sh check.sh' });
    stage.check('the failing test is reproduced', before, { exit_code: 1, stdout: 'broken\n' });
    stage.check('it fails for the reported reason', before['stderr'], 'expected fixed\n');
    const patched = await call('workspace_patch_apply', { workspace_id: id, patch: fix });
    stage.check('the fix is applied', patched, { changed: true });
    const after = await call('workspace_exec', { workspace_id: id, command: 'sh check.sh' });
    stage.check('the test passes', after, { exit_code: 0, stdout: 'fixed\n', stderr: '' });
    const diff = await call('workspace_diff', { workspace_id: id });
    stage.check('only the fix is in the diff', diff['entries'], [
      {
        path: 'message.txt',
        status: 'modified',
        artifact_type: 'file',
        old_mode: '100644',
        new_mode: '100644',
        additions: 1,
        deletions: 1,
      },
    ]);
    stage.check('the host is as it was', readFileSync(join(project, 'message.txt'), 'utf8'), 'broken\n');
    await call('workspace_export', { workspace_id: id, format: 'patch', output_path: 'fix.patch' });
    stage.check(
      'the patch of the file is that of the diff',
      readFileSync(join(project, 'fix.patch'), 'utf8'),
      diff['patch'],
    );
    stage.check('the patch applies to the checkout', await onHost('git apply fix.patch'), { exitCode: 0, output: '' });
    stage.check('the test passes at home', await onHost('sh check.sh'), { exitCode: 0, output: 'fixed\n' });
    const summary = await call('workspace_summary', { workspace_id: id });
    stage.check('the summary has both runs and the change', summary, {
      command_count: 2,
      failed_count: 1,
      file_count: 1,
      additions: 1,
      deletions: 1,
    });
    const reset = await call('workspace_reset', { workspace_id: id });
    stage.check('a reset keeps the workspace', reset, { workspace_id: id, reset_count: 1 });
    const clean = await call('workspace_diff', { workspace_id: id });
    stage.check('after a reset nothing differs from the seed', clean, { changed: false, patch: '' });
    stage.check('the workspace is gone', await call('workspace_delete', { workspace_id: id }), { deleted: true });
    stage.check('the patch outlives it', existsSync(join(project, 'fix.patch')), true);
  },
};
