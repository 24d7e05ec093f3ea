// Tests of what is taken although it is not as the schema has it, of what is refused, and of what a refusal shows.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseInput } from '../../../src/operations/check-input.ts';
import { type ForgivenInput, forgiveInput } from '../../../src/operations/forgive-input.ts';
import { operations } from '../../../src/operations/index.ts';
import { exampleOf } from '../../../src/operations/input-example.ts';
import { isPyroError } from '../../../src/shared/errors.ts';

const id = '6f1e538c0e71';

function operationOf(name: string): (typeof operations)[number] {
  const found = operations.find(({ definition }) => definition.name === name);
  if (found === undefined) throw new Error(`there is no operation ${name}`);
  return found;
}

function forgive(name: string, input: object): ForgivenInput & { readonly parsed: unknown } {
  const operation = operationOf(name);
  const forgiven = forgiveInput(operation, { ...input });
  return { ...forgiven, parsed: parseInput(operation, forgiven.input) };
}

function refusal(name: string, input: object): { readonly message: string; readonly hint: string } {
  try {
    forgive(name, input);
  } catch (error) {
    if (!isPyroError(error, 'usage')) throw error;
    return { message: error.message, hint: error.hint ?? '' };
  }
  throw new Error(`${JSON.stringify(input)} was taken`);
}

describe('input that is right', () => {
  it('is passed on as it is, without a note', () => {
    const input = { workspace_id: id, command: 'true', env: { CI: '1' }, timeout_seconds: 5 };
    expect(forgiveInput(operationOf('workspace.exec'), input)).toEqual({ input, notes: [] });
  });
});

describe('input by habit', () => {
  const exec = 'workspace.exec';
  const base = { workspace_id: id, command: 'true' };
  it.each<[string, object, object, number]>([
    [exec, { ...base, timeout: 5 }, { timeout_seconds: 5 }, 1],
    [exec, { ...base, timeout_ms: 1500 }, { timeout_seconds: 1.5 }, 1],
    [exec, { ...base, timeoutSeconds: '5' }, { timeout_seconds: 5 }, 2],
    [exec, { id, cmd: 'ls' }, { workspace_id: id, command: 'ls' }, 2],
    [exec, { workspace: id, command: 'ls' }, { workspace_id: id }, 1],
    [exec, { workspace_id: id, command: ['ls', '-la', 'a b'] }, { command: "ls -la 'a b'" }, 1],
    [exec, { workspace_id: id, command: ['ls | wc'] }, { command: 'ls | wc' }, 1],
    [exec, { ...base, workdir: 'src' }, { cwd: 'src' }, 1],
    [exec, { ...base, description: 'Run the tests' }, base, 1],
    [exec, { ...base, environment: { CI: '1' } }, { env: { CI: '1' } }, 1],
    [exec, { ...base, env: ['CI=1', 'A=b=c'] }, { env: { CI: '1', A: 'b=c' } }, 0],
    [exec, { ...base, env: '{"CI":"1"}' }, { env: { CI: '1' } }, 1],
    [exec, { ...base, env: { CI: true, PORT: 80, A: 'b' } }, { env: { CI: 'true', PORT: '80', A: 'b' } }, 1],
    [exec, { ...base, env: [{ name: 'CI', value: 1 }] }, { env: { CI: '1' } }, 1],
    [exec, { ...base, secret_env: ['A', 'B=C'] }, { secret_env: { A: 'A', B: 'C' } }, 0],
    [exec, { ...base, cwd: null, env: null }, { workspace_id: id }, 0],
    ['workspace.file.read', { workspace_id: id, file_path: 'a', start_line: '3' }, { path: 'a', start_line: 3 }, 2],
    ['workspace.file.write', { workspace_id: id, path: 'a', content: 'x', mode: 755 }, { text: 'x', mode: '755' }, 2],
    ['workspace.file.write', { id, file: 'a', old_string: 'x', new_string: 'y' }, { old_text: 'x', new_text: 'y' }, 4],
    ['workspace.file.list', { workspace_id: id, recursive: 'true' }, { recursive: true }, 1],
    ['workspace.exec_signal', { workspace_id: id, sequence: 1, signal: 'SIGINT' }, { signal_name: 'INT' }, 2],
    ['workspace.create', { labels: '{"task": 42}', memory: '2048' }, { labels: { task: '42' }, mem_mib: 2048 }, 4],
    ['workspace.create', { image: 'node:24', allow: 'a.org' }, { environment: 'node:24', allow: ['a.org'] }, 2],
    ['workspace.create', { secrets: { A: 'secret-a' } }, { secrets: [{ name: 'A', value: 'secret-a' }] }, 1],
    ['workspace.create', { secrets: ['A=secret-a'] }, { secrets: [{ name: 'A', value: 'secret-a' }] }, 0],
    ['workspace.create', { secrets: { name: 'A', path: '/p' } }, { secrets: [{ name: 'A', file_path: '/p' }] }, 2],
    [
      'workspace.service.start',
      { id, name: 'web', cmd: 'serve', ports: [8000, '8080:80', { port: '443' }], restart_policy: 'on_failure' },
      { published_ports: [{ guest_port: 8000 }, { guest_port: 80, host_port: 8080 }, { guest_port: 443 }] },
      7,
    ],
    ['workspace.create', { allow: 'a.org, b.org' }, { allow: ['a.org', 'b.org'] }, 1],
    ['workspace.update', { id, labels: 'a=b' }, { labels: { a: 'b' } }, 2],
    ['workspace.list', { labels: { task: 42 } }, { label: 'task=42' }, 2],
    ['run', { environment: 'x', command: '["git","log"]' }, { command: ['git', 'log'] }, 1],
    ['workspace.file.write', { id, path: 'a', edits: { old: 'x', new: 'y' } }, { edits: [{ old_text: 'x' }] }, 4],
    ['vm.exec', { id, cmd: 'ls' }, { vm_id: id }, 2],
  ])('of %s %j is taken, and told', (name, input, expected, notes) => {
    const forgiven = forgive(name, input);
    expect(forgiven.parsed).toMatchObject(expected);
    const told = forgiven.notes.join('\n');
    expect(told.match(/and \d+ more/) === null ? forgiven.notes.length : notes).toBe(notes);
    expect(told).not.toContain('secret-a');
  });
});

describe('input that is ambiguous or unknown', () => {
  const base = { workspace_id: id, command: 'true' };
  it.each<[string, object, RegExp, RegExp]>([
    ['workspace.exec', { ...base, timeout: 5, timeout_seconds: 6 }, /are the same argument/, /timeout_seconds/],
    ['workspace.exec', { ...base, comand: 'x' }, /unknown argument comand, is it command\?/, /"command":"make test"/],
    ['workspace.exec', { ...base, banana: 'x' }, /unknown argument banana$/, /arguments: workspace_id, command/],
    ['workspace.exec', { ...base, env: 5 }, /env: it must be an object/, /"env":\{"CI":"1"\}/],
    ['workspace.exec', { ...base, env: 'CI=1 A=2' }, /env: it must be an object/, /"env":\{"CI":"1"\}/],
    ['workspace.exec', { ...base, env: { A: { b: 1 } } }, /env\.A: it must be text/, /"CI":"1"/],
    ['workspace.exec', { ...base, env: { 'A=B': 'c' } }, /env\.A=B: a name must not be empty or contain =/, /"CI":"1"/],
    ['workspace.exec', { ...base, secret_env: { TOKEN: true } }, /secret_env\.TOKEN: it must be text/, /API_TOKEN/],
    ['workspace.exec', { workspace_id: id }, /command is missing/, /"command":"make test"/],
    ['workspace.exec', { ...base, timeout: 120_000 }, /timeout_seconds: at most 86400/, /"timeout_seconds":30/],
    ['workspace.exec', { ...base, timeout: '30s' }, /timeout_seconds: it must be a number/, /"timeout_seconds":30/],
    ['workspace.shell.read', { id, shell_id: 'c7cd34864680' }, /unknown argument id, is it workspace_id or/, /6f1e/],
    ['workspace.create', { env: { A: 'b' } }, /unknown argument env, is it environment\?/, /debian:12/],
    ['workspace.create', { secrets: ['hunter2hunter2'] }, /secrets\.0\.name: it must not be empty/, /"name":"TOKEN"/],
    ['workspace.create', { secrets: [{ name: 'A' }] }, /give value or file_path/, /"name":"TOKEN"/],
    ['run', { environment: 'x', command: 'git log' }, /command: it must be a list/, /"command":\["make","test"\]/],
    ['workspace.create', { mem_mib: 1.5 }, /mem_mib: it must be a whole number/, /"mem_mib"/],
  ])('of %s %j is refused with the right shape', (name, input, message, hint) => {
    const refused = refusal(name, input);
    expect(refused.message).toMatch(message);
    expect(refused.hint).toMatch(hint);
    expect(`${refused.message}${refused.hint}`).not.toMatch(/hunter2|Invalid|expected .*received|zod/i);
  });

  it('is bounded: depth, number of values, names of the language', () => {
    const deep = JSON.parse(`{"workspace_id":${'['.repeat(5000)}${']'.repeat(5000)}}`);
    expect(refusal('workspace.exec', deep).message).toContain('levels deep');
    const wide = { ...base, env: Object.fromEntries(Array.from({ length: 60_000 }, (_, n) => [`A${n}`, 'x'])) };
    expect(refusal('workspace.exec', wide).message).toContain('more than 50000 values');
    for (const text of ['{"__proto__":{"a":1}}', '{"env":{"__proto__":"x"}}', '{"env":"{\\"__proto__\\":\\"x\\"}"}']) {
      const evil = { ...base, ...JSON.parse(text) };
      // A spread would set nothing: the key has to be there as JSON has it.
      const input = text.startsWith('{"__proto__"') ? JSON.parse(text) : evil;
      expect(refusal('workspace.exec', input).message).toContain('__proto__');
    }
    expect(refusal('workspace.exec', { ...base, constructor: 'x', toString: 'y' }).message).toContain('constructor');
    expect(Object.hasOwn(Object.prototype, 'a')).toBe(false);
  });
});

describe('whatever comes', () => {
  const names = operations.flatMap(({ definition }) => Object.keys(definition.input.shape));
  const key = fc.oneof(
    fc.constantFrom(...names, 'id', 'timeout', 'cmd', '__proto__', 'constructor', 'toString', 'hasOwnProperty'),
    fc.string(),
  );
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.string(),
      fc.constantFrom('{"a":"b"}', '["A=b"]', '[', 'true', '8080:80', '12', null, true, 12, -0, 1e21),
      fc.array(tie('any'), { maxLength: 3 }),
      fc.dictionary(key, tie('any'), { maxKeys: 3 }),
    ),
  })).any;

  it('is taken by the schema or refused as usage, and what was right stays the same', () => {
    fc.assert(
      fc.property(fc.constantFrom(...operations), fc.dictionary(key, value, { maxKeys: 5 }), (operation, input) => {
        try {
          const { input: whole, notes } = forgiveInput(operation, input);
          expect(notes.length).toBeLessThan(8);
          if (operation.definition.input.safeParse(input).success) expect(whole).toBe(input);
          parseInput(operation, whole);
          // Forgiving once is enough.
          expect(forgiveInput(operation, whole).input).toBe(whole);
        } catch (error) {
          if (!isPyroError(error, 'usage')) throw error;
          expect(error.message.length).toBeLessThan(4000);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('the example of an operation', () => {
  it('is an input with the fields that were asked for, each of which the schema takes', () => {
    for (const operation of operations) {
      const { shape } = operation.definition.input;
      const example: unknown = JSON.parse(exampleOf(operation, Object.keys(shape)));
      const wrong = Object.entries(shape).filter(([field, schema]) => {
        const whole: Record<string, unknown> = Object.fromEntries(Object.entries(example ?? {}));
        return !schema.safeParse(whole[field]).success;
      });
      expect([operation.definition.name, wrong.map(([field]) => field)]).toEqual([operation.definition.name, []]);
    }
  });
});
