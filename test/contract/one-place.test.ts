// How many files a new thing touches: each is added in a copy of the sources, which must compile and know it then.
import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { folderForAll } from '../support/own-folder.ts';

const root = new URL('../..', import.meta.url).pathname;
let copy = '';
let touched = new Set<string>();

folderForAll('pyro-copy-', (folder) => {
  copy = folder;
  for (const name of ['src', 'package.json', 'tsconfig.json'])
    cpSync(join(root, name), join(copy, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
});

/** Puts text behind each of the places in a file. Fails where one of them is not there. */
function insert(file: string, places: Readonly<Record<string, string>>): void {
  touched.add(file);
  const path = join(copy, file);
  let text = readFileSync(path, 'utf8');
  for (const [place, more] of Object.entries(places)) {
    expect(text).toContain(place);
    text = text.replace(place, () => `${place}${more}`);
  }
  writeFileSync(path, text);
}

function write(file: string, text: string): void {
  touched.add(file);
  writeFileSync(join(copy, file), text);
}

/** What the changed copy prints; none of it is bundled. */
function pyro(...args: string[]): string {
  const home = { PYRO_HOME: join(copy, 'home'), HOME: copy };
  return execFileSync(process.execPath, [join(copy, 'src/main.ts'), ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...home },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function evaluate(expression: string): unknown {
  const code = `const of = async (file) => await import(new URL(file, 'file://${copy}/src/')); console.log(JSON.stringify(await (async () => ${expression})()))`;
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' }));
}

it('an operation is its own file and its line of the list, and is a command and a tool then', () => {
  touched = new Set();
  write(
    'src/operations/workspace-rename.ts',
    `// workspace.rename: another name.
import { z } from 'zod';
import { workspaceIdField, workspaceSchema } from '../contract/workspaces.ts';
import { defineOperation } from './define.ts';
import { workspacesOf } from './workspace-scalars.ts';

export const workspaceRename = defineOperation({
  name: 'workspace.rename',
  title: 'Rename a workspace',
  summary: 'Give a workspace another name',
  details: 'The id stays.',
  effect: 'write',
  place: 'daemon',
  tool: { profiles: ['workspace-full'] },
  positionals: ['workspace_id', 'name'],
  input: z.strictObject({ workspace_id: workspaceIdField, name: z.string().describe('Name for people') }),
  output: workspaceSchema,
  examples: [{ why: 'Another name', command: 'pyro workspace rename 6f1e538c0e71 bug' }],
  run: async (context, input) =>
    await workspacesOf(context).update({ ...input, clear_name: false, labels: {}, clear_labels: [] }, context),
  render: ({ name }) => \`\${name}\\n\`,
});
`,
  );
  insert('src/operations/index.ts', {
    "import { workspaceSummary } from './workspace-summary.ts';\n":
      "import { workspaceRename } from './workspace-rename.ts';\n",
    '  workspaceUpdate,\n': '  workspaceRename,\n',
  });
  expect(touched.size).toBe(2);
  expect(pyro('workspace', 'rename', '--help')).toContain('Give a workspace another name');
  expect(
    evaluate(`{
      const { operations } = await of('operations/index.ts');
      const { factsOf } = await of('mcp/catalogue.ts');
      return factsOf(operations).map(({ name }) => name);
    }`),
  ).toContain('workspace_rename');
});

it('a field of create that is shown back touches two files, and is an option, in the record and in the view', () => {
  touched = new Set();
  insert('src/contract/workspaces.ts', {
    '  mem_mib: memMibField,\n': "  nice: z.number().int().min(0).max(19).default(0).describe('Priority'),\n",
    '  mem_mib: z.number(),\n': '  nice: z.number().default(0),\n',
  });
  insert('src/engine/calls/list.ts', { '    mem_mib: 0,\n': '    nice: 0,\n' });
  expect(touched.size).toBeLessThanOrEqual(3);
  expect(pyro('create', '--help')).toContain('--nice');
  expect(
    evaluate(`{
      const { createInput, keptOf, workspaceSchema } = await of('contract/workspaces.ts');
      const { workspaceRecordSchema } = await of('contract/records.ts');
      const kept = keptOf(createInput.parse({ nice: 7 }));
      return [kept.nice, 'nice' in workspaceRecordSchema.shape, 'nice' in workspaceSchema.shape];
    }`),
  ).toEqual([7, true, true]);
});

it('a chat host is its own file and its name', () => {
  touched = new Set();
  const codex = readFileSync(join(copy, 'src/hosts/adapters/codex.ts'), 'utf8');
  write('src/hosts/adapters/another.ts', codex.replaceAll("name: 'codex'", "name: 'another'"));
  insert('src/shared/host-types.ts', { "'codex', ": "'another', " });
  expect(touched.size).toBe(2);
  expect(pyro('host', 'print-config', 'another')).toContain('mcp_servers.pyro');
  expect(pyro('host', 'connect', '--help')).toContain('another');
});

it('all that compiles', () => {
  const tsc = join(root, 'node_modules/.bin/tsc');
  expect(execFileSync(tsc, ['--noEmit', '--project', copy], { encoding: 'utf8' })).toBe('');
}, 300_000);
