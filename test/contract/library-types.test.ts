// The declarations in dist/types, as the compiler of a user sees them: without this repository, without zod, strictly.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { root } from '../support/documents.ts';
import { snippetsOf } from '../support/snippets.ts';

const place = mkdtempSync(join(tmpdir(), 'pt-'));
const compiler = join(root, 'node_modules/.bin/tsc');
const settings = [
  '--strict',
  '--noEmit',
  '--exactOptionalPropertyTypes',
  '--noUncheckedIndexedAccess',
  '--types',
  'node',
];
const modern = ['--target', 'es2024', '--lib', 'es2024,esnext.disposable', '--module', 'nodenext'];

beforeAll(() => {
  const installed = join(place, 'node_modules/pyro-mcp');
  mkdirSync(join(installed, 'dist'), { recursive: true });
  cpSync(join(root, 'package.json'), join(installed, 'package.json'));
  cpSync(join(root, 'dist/types'), join(installed, 'dist/types'), { recursive: true });
  mkdirSync(join(place, 'node_modules/@types'));
  symlinkSync(join(root, 'node_modules/@types/node'), join(place, 'node_modules/@types/node'));
  writeFileSync(join(place, 'package.json'), '{ "type": "module" }');
});

afterAll(() => {
  rmSync(place, { recursive: true, force: true });
});

/** What the compiler says of a user's file; empty when nothing is wrong. */
function complaints(name: string, text: string): string {
  writeFileSync(join(place, name), text);
  return spawnSync(compiler, [...settings, ...modern, name], { cwd: place, encoding: 'utf8' }).stdout;
}

it.each(['sdk.ts', 'function-calling.ts'])('the example %s compiles', (name) => {
  expect(complaints(name, readFileSync(join(root, 'examples', name), 'utf8'))).toBe('');
});

it('the snippets of the guide compile', () => {
  expect(complaints('guide.ts', snippetsOf('docs/guide/sdk.md'))).toBe('');
});

it('inputs and results have the types of the operations', () => {
  const text = `import { Pyro, type InputOf, type OutputOf } from 'pyro-mcp';
const pyro = new Pyro();
const input: InputOf<'workspace.exec'> = { workspace_id: '6f1e538c0e71', command: 'true' };
const result: OutputOf<'workspace.exec'> = await pyro.workspace.exec(input);
const code: number | null = result.exit_code;
const mode: 'guest' = result.execution_mode;
const labels: Record<string, string> = (await pyro.workspace.status({ workspace_id: 'x' })).labels;
await pyro.workspace.create({ labels: { task: '42' }, secrets: [{ name: 'A', value: 'b' }, { name: 'C', file_path: 'd' }] });
await pyro.workspaces.open('x').exec({ command: 'true', env: { CI: '1' }, secret_env: { A: 'B' } }, { onNote: console.error });
await pyro.workspaces.open('x').service.start({ service_name: 'web', command: 'x', published_ports: [{ guest_port: 80 }] });
await pyro.workspaces.open('x').file.write({ path: 'a', edits: [{ old_text: 'a', new_text: 'b', replace_all: true }] });
await pyro.workspaces.open('x').execSignal({ sequence: 1, signal_name: 'TERM' });
export { code, mode, labels };
`;
  expect(complaints('right.ts', text)).toBe('');
});

it.each([
  ['a field that does not exist', "await pyro.workspace.list({ labels: 'x' });", /labels/],
  ['a field that is missing', 'await pyro.run({ environment: "debian:12" });', /command/],
  ['a value of another kind', "await pyro.workspace.exec({ workspace_id: 'x', command: 1 });", /number/],
  ['a map as words', "await pyro.workspace.exec({ workspace_id: 'x', command: 'x', env: ['A=b'] });", /string/],
  ['a word that is none of the allowed ones', "await pyro.workspace.list({ state: 'asleep' });", /asleep/],
  ['an id where the workspace is known', "await pyro.workspaces.open('x').status({ workspace_id: 'x' });", /undefined/],
])('%s is an error', (_what, line, expected) => {
  expect(complaints('wrong.ts', `import { Pyro } from 'pyro-mcp';\nconst pyro = new Pyro();\n${line}\n`)).toMatch(
    expected,
  );
});

it('they say the same as the schemas', () => {
  const text = `import type { OperationTypes as FromSchemas } from '${root}src/sdk/operation-types.ts';
import type { OperationTypes as Built } from '${root}dist/types/sdk/operation-types.d.ts';
declare const schemas: FromSchemas;
declare const built: Built;
// A type without an optional field fits one with it, so the names of the fields are compared too.
type SchemaKeys = { [N in keyof FromSchemas]: [keyof FromSchemas[N]['input'], keyof FromSchemas[N]['output']] };
type BuiltKeys = { [N in keyof Built]: [keyof Built[N]['input'], keyof Built[N]['output']] };
declare const schemaKeys: SchemaKeys;
declare const builtKeys: BuiltKeys;
export const there: Built = schemas;
export const back: FromSchemas = built;
export const keysThere: BuiltKeys = schemaKeys;
export const keysBack: SchemaKeys = builtKeys;
`;
  writeFileSync(join(place, 'same.ts'), text);
  const more = ['--skipLibCheck', '--allowImportingTsExtensions', '--erasableSyntaxOnly'];
  const { stdout } = spawnSync(compiler, [...settings, ...modern, ...more, 'same.ts'], {
    cwd: place,
    encoding: 'utf8',
  });
  expect(stdout).toBe('');
});
