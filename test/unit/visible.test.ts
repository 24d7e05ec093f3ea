// Names of a hostile guest as they are shown: nothing of them reaches the terminal as an order, or makes a false row.
import { expect, it } from 'vitest';
import { workspaceDiff, workspaceExport } from '../../src/operations/workspace-change.ts';
import { formatTable } from '../../src/shared/table.ts';
import { visible, visibleLines } from '../../src/shared/visible.ts';

const hostile = 'n\u001b]0;PWNED\u0007\nforged row\u009b2J\u202e';

it('escapes what orders a terminal', () => {
  expect(visible(hostile)).toBe('n\\x1b]0;PWNED\\x07\\nforged row\\x9b2J\\u202e');
  expect(visibleLines('a\n\tb\u001b[2J')).toBe('a\n\tb\\x1b[2J');
  expect(visible('käse 名 "q"')).toBe('käse 名 "q"');
});

it('keeps rows of a table rows, without colours of their own', () => {
  expect(
    formatTable([
      [hostile, 'x'],
      ['\u001b[31mred\u001b[39m', 'y'],
    ]).split('\n'),
  ).toHaveLength(2);
  expect(formatTable([['\u001b[8mhidden\u001b[m']])).toBe('\\x1b[8mhidden\\x1b[m');
});

it('holds for what a diff and an export leave out', () => {
  const none = { files: 0, bytes: 0 };
  const diff = workspaceDiff.receive({
    ...{
      workspace_id: 'a',
      base: 'baseline',
      changed: true,
      summary: {},
      entries: [],
      entries_truncated: false,
      patch: '',
    },
    ...{
      patch_bytes: 0,
      next_cursor: null,
      ignored: none,
      left_out: [{ path: hostile, reason: 'r' }],
      left_out_count: 1,
    },
    system_changes: [{ path: hostile, status: 'added' }],
  });
  const exported = workspaceExport.receive({
    ...{
      workspace_id: 'a',
      workspace_path: '/workspace',
      output_path: '/x',
      format: 'files',
      artifact_type: 'directory',
    },
    ...{
      entry_count: 1,
      bytes_written: 1,
      skipped: [{ path: hostile, status: 's' }],
      ignored: none,
      execution_mode: 'guest',
    },
  });
  for (const { text } of [diff, exported]) {
    expect(text).toContain('PWNED');
    expect(text.replaceAll('\n', '')).not.toMatch(/\p{Cc}|\u202e/u);
    expect(text).not.toMatch(/^forged/m);
  }
});
