// What the command line shows of the list of commands.
import { expect, it } from 'vitest';
import { logsText } from '../../../src/operations/model-texts.ts';
import { workspaceLogs } from '../../../src/operations/workspace-exec.ts';

const entry = {
  sequence: 2,
  command: 'seq 1000',
  cwd: '/workspace',
  running: false,
  exit_code: 0,
  timed_out: false,
  duration_ms: 10,
  execution_mode: 'guest' as const,
  recorded_at: 1_700_000_000,
  stdout_bytes: 429,
  stderr_bytes: 0,
  stdout: 'a',
  stderr: '',
  is_utf8: true,
};

it('a cut output names the command that shows the rest, and the words of the output stay', () => {
  const cut = 'a\n[… 229 bytes left out: workspace_logs sequence=2 stream=stdout cursor=200 …]\nsee workspace_logs\n';
  const output = {
    workspace_id: '6f1e538c0e71',
    count: 1,
    gone_count: null,
    entries: [{ ...entry, stdout: cut }],
    next_cursor: null,
  };
  const text = workspaceLogs.receive(output).command(200).stdout;
  expect(text).toContain(
    'a\n[… 229 bytes left out: pyro logs 6f1e538c0e71 --sequence 2 --stream stdout --cursor 200 …]\nsee workspace_logs\n',
  );
});

it('a list that begins later says how many older commands went', () => {
  const output = { workspace_id: '6f1e538c0e71', count: 1, gone_count: 7, entries: [entry], next_cursor: null };
  expect(workspaceLogs.receive(output).command(200).stdout).toContain('7 older commands are no longer kept\n');
  expect(logsText(output)).toMatch(/^7 older commands are no longer kept\n/);
  expect(logsText({ ...output, gone_count: null })).not.toContain('kept');
});
