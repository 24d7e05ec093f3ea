// Results as each reader has them: a model gets what is mostly text as text alone, a program gets what is news as structure.
import { describe, expect, it } from 'vitest';
import { type Audience, audienceOf } from '../../../src/mcp/audience.ts';
import { factsOf } from '../../../src/mcp/catalogue.ts';
import { leanSchema } from '../../../src/mcp/lean.ts';
import { errorResult, errorText, successResult } from '../../../src/mcp/result.ts';
import { selectTools, shownTool } from '../../../src/mcp/tools.ts';
import { operations } from '../../../src/operations/index.ts';
import { type ErrorCodeName, errorCodes } from '../../../src/shared/error-codes.ts';
import { PyroError, reportError } from '../../../src/shared/errors.ts';
import { commandCall } from '../../../src/shared/hint-words.ts';
import { serverOptionsSchema } from '../../../src/shared/server-options.ts';

const codes = Object.keys(errorCodes).filter((code): code is ErrorCodeName => code in errorCodes);
const catalogue = factsOf(operations);
const options = serverOptionsSchema.parse({ profile: 'workspace-full' });
const readers = ['model', 'program'] as const;
const digest = `sha256:${'a'.repeat(64)}`;

const exec = {
  workspace_id: '6f1e538c0e71',
  environment: 'debian:12',
  environment_version: digest,
  command: 'echo hi',
  cwd: '/workspace',
  sequence: 12,
  running: false,
  stdout: 'hi\n',
  stderr: '',
  stdout_bytes: 3,
  stderr_bytes: 0,
  truncated: false,
  is_utf8: true,
  exit_code: 0,
  timed_out: false,
  duration_ms: 1234,
  shell: 'bash',
  execution_mode: 'guest',
  restarted: false,
  denied_connections: [],
  network_note: null,
  program_note: null,
};
const written = {
  workspace_id: '6f1e538c0e71',
  path: 'src/hello.txt',
  size_bytes: 5,
  bytes_written: 5,
  replaced_count: null,
  created: true,
  execution_mode: 'guest',
};
const created = {
  workspace_id: '6f1e538c0e71',
  name: 'repro',
  labels: {},
  environment: 'debian:12',
  environment_version: digest,
  vcpu_count: 1,
  mem_mib: 1024,
  disk_mib: 8192,
  ttl_seconds: 1800,
  created_at: 1_790_000_000.123,
  last_activity_at: 1_790_000_000.123,
  expires_at: 1_790_001_800.123,
  state: 'started',
  stop_reason: null,
  state_reason: null,
  network_policy: 'off',
  package_sources: 'none',
  secrets: [],
  execution_mode: 'guest',
  workspace_path: '/workspace',
  workspace_seed: {
    mode: 'git',
    seed_path: '/home/somebody/src/project',
    destination: '/workspace',
    origin_kind: 'roots',
    origin_ref: null,
    commit: 'b'.repeat(40),
    branch: 'main',
    dirty: true,
    entry_count: 312,
    bytes_written: 123_456,
    left_out: { ignored: 3 },
  },
  command_count: 0,
  last_command: null,
  reset_count: 0,
  last_reset_at: null,
  service_count: 0,
  running_service_count: 0,
  restarted: false,
  note: null,
};

function resultOf(tool: string, raw: object, audience: Audience) {
  const facts = catalogue.find(({ name }) => name === tool);
  const operation = operations.find(({ definition }) => definition.name === facts?.operation);
  if (facts === undefined || operation === undefined) throw new Error(`there is no tool ${tool}`);
  return successResult(operation.receive(raw), [], facts, audience);
}

/** Two of the three hosts that were tried show the structure where there is one, the third the text. */
function seen({ content, structuredContent }: ReturnType<typeof resultOf>): number {
  const text = content.map((block) => (block.type === 'text' ? block.text : '')).join('');
  return Math.max(text.length, structuredContent === undefined ? 0 : JSON.stringify(structuredContent).length);
}

describe.each(readers)('a result for a %s', (reader) => {
  it.each([
    ['workspace_exec', exec, 120],
    ['workspace_file_write', written, 80],
    ['workspace_create', created, 700],
  ])('of %s is short', (tool, raw, bound) => {
    expect(seen(resultOf(tool, raw, reader))).toBeLessThanOrEqual(bound);
  });

  it.each([
    ['workspace_exec', exec, 'exit_code 0, 1.2 s\nhi\n'],
    ['workspace_file_write', written, 'created, 5 bytes\n'],
    [
      'workspace_create',
      created,
      `workspace 6f1e538c0e71 started: debian:12, 1 CPU, 1024 MiB, network off\nseed: /home/somebody/src/project (roots) at main ${'b'.repeat(12)}, 312 entries, with uncommitted changes, left out ignored: 3\n`,
    ],
  ])('of %s says in its text what is news', (tool, raw, text) => {
    expect(resultOf(tool, raw, reader).content).toEqual([{ type: 'text', text }]);
  });

  it('tells what has to be known', () => {
    const cut = { ...exec, truncated: true, timed_out: true, exit_code: 124, is_utf8: false };
    const whole = JSON.stringify(resultOf('workspace_exec', cut, reader));
    expect(whole).toMatch(/124/);
    expect(whole).toMatch(/timed.out/);
    expect(whole).toMatch(/cut/);
    expect(JSON.stringify(resultOf('workspace_create', created, reader))).toContain(digest.slice(0, 19));
  });

  it('has structure wherever the list of tools promises it, with no field that it does not name', () => {
    for (const entry of selectTools(catalogue, options)) {
      const { outputSchema } = shownTool(entry, reader);
      const hasStructure = reader === 'program' || entry.facts.tool.isData === true;
      expect(outputSchema !== undefined, entry.name).toBe(hasStructure);
    }
    for (const [tool, raw] of [['workspace_create', created] as const, ['workspace_exec', exec] as const]) {
      const facts = catalogue.find(({ name }) => name === tool);
      const given = Object.keys(resultOf(tool, raw, reader).structuredContent ?? {});
      const named = facts === undefined ? [] : Object.keys(leanSchema(facts).properties);
      expect(given.filter((name) => !named.includes(name))).toEqual([]);
    }
  });
});

describe('a result', () => {
  it('begins with the exit code, and goes to a model without a structure', () => {
    const result = resultOf('workspace_exec', exec, 'model');
    expect(result.content[0]).toMatchObject({ text: expect.stringMatching(/^exit_code 0\b/) });
    expect('structuredContent' in result).toBe(false);
  });

  it('keeps for programs what they branch on', () => {
    expect(resultOf('workspace_exec', exec, 'program').structuredContent).toEqual({
      sequence: 12,
      running: false,
      stdout: 'hi\n',
      stderr: '',
      exit_code: 0,
      duration_ms: 1234,
    });
  });

  it('tells a program of bytes that were no text', () => {
    const latin = { ...exec, stdout: 'caf\ufffd', is_utf8: false };
    expect(resultOf('workspace_exec', latin, 'program').structuredContent).toMatchObject({ is_utf8: false });
  });

  it('of a refused call says once what is wrong, and has the report where no model looks', () => {
    const error = new PyroError('file_missing', 'no such file: a.txt', { hint: 'look what there is' });
    const { content, isError, structuredContent, _meta } = errorResult(reportError(error));
    const shown = JSON.stringify(content.map((block) => (block.type === 'text' ? block.text : '')).join(''));
    expect(isError).toBe(true);
    expect(structuredContent).toBeUndefined();
    expect(content).toHaveLength(1);
    expect(shown.split('no such file')).toHaveLength(2);
    expect(_meta).toMatchObject({ 'pyro/error': { code: 'file_missing', retryable: false } });
  });
});

describe('the text of a refused call', () => {
  it.each(codes)('with code %s is hardly longer than its message and its hint, and has both', (code) => {
    for (const message of [
      'no such file',
      'the path /srv/elsewhere lies outside of the project of this server '.repeat(3),
    ]) {
      const report = reportError(new PyroError(code, message), commandCall);
      const text = errorText(report);
      expect(text.length).toBeLessThanOrEqual(1.2 * (message.length + (report.hint ?? '').length));
      expect(text).toContain(message);
      expect(text).toContain(report.hint ?? '');
      if (message.length > 100) expect(text).toContain(`error ${code}: `);
    }
  });
});

describe('who reads', () => {
  it.each([
    ['claude-code', 'model'],
    ['codex-mcp-client', 'model'],
    ['opencode', 'model'],
    ['some-program', 'program'],
    [undefined, 'program'],
  ])('is known by the name of the client: %s is a %s', (client, reader) => {
    expect(audienceOf(options, client)).toBe(reader);
    expect(audienceOf({ ...options, results: 'text' }, client)).toBe('model');
    expect(audienceOf({ ...options, results: 'structured' }, client)).toBe('program');
  });
});
