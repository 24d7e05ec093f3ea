// The linter's rules for layers, cycles, programs and file length really fail: violations are planted in a copy of the sources. Rooms stay small.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

const root = new URL('../..', import.meta.url).pathname;

const forbidden: Readonly<Record<string, string>> = {
  shared: '../system/files.ts',
  system: '../machine/kit.ts',
  agent: '../machine/kit.ts',
  environment: '../machine/kit.ts',
  secrets: '../agent/hello.ts',
  project: '../agent/hello.ts',
  hosts: '../operations/index.ts',
  changes: '../machine/kit.ts',
  machine: '../environment/store.ts',
  network: '../agent/guest-client.ts',
  contract: '../agent/hello.ts',
  engine: '../operations/index.ts',
  'engine/output': '../guests/preparations.ts',
  'engine/jobs': '../output/cut.ts',
  'engine/guests': '../workspace/workspace.ts',
  'engine/commands': '../workspace/workspace.ts',
  'engine/shells': '../workspace/workspace.ts',
  'engine/services': '../workspace/workspace.ts',
  'engine/workspace': '../calls/exec.ts',
  'engine/files': '../changes/changes.ts',
  'engine/changes': '../calls/exec.ts',
  'engine/calls': '../changes/changes.ts',
  'engine/host': '../changes/changes.ts',
  operations: '../engine/daemon-engine.ts',
  daemon: '../cli/program.ts',
  cli: '../engine/daemon-engine.ts',
  mcp: '../engine/daemon-engine.ts',
  sdk: '../engine/daemon-engine.ts',
};

/** Violations by path, and the rule that has to find each */
const planted = new Map<string, { readonly text: string; readonly rule: string }>();
for (const [room, target] of Object.entries(forbidden)) {
  planted.set(`src/${room}/planted-layer.ts`, {
    text: `// Planted.\nexport * as planted from '${target}';\n`,
    rule: 'lint/style/noRestrictedImports',
  });
}
for (const [own, other] of ['ab', 'ba']) {
  planted.set(`src/shared/planted-${own}.ts`, {
    text: `// Planted.\nimport { ${other} } from './planted-${other}.ts';\nexport const ${own} = (): number => ${other}();\n`,
    rule: 'lint/suspicious/noImportCycles',
  });
}
for (const [name, text] of [
  ['static', "export { spawn } from 'node:child_process';"],
  ['dynamic', "export const programs = import('node:child_process');"],
]) {
  planted.set(`src/changes/planted-${name}.ts`, { text: `// Planted.\n${text}\n`, rule: 'plugin' });
}
for (const [name, text] of [
  ['stdout', "export const print = (): boolean => process.stdout.write('x');"],
  ['taken', 'export const { stderr } = process;'],
  ['console', "export const print = (): void => console.error('x');"],
  ['module', "export { stdout } from 'node:process';"],
  ['by-name', "export const print = (name: 'stdout' | 'stderr'): boolean => process[name].write('x');"],
]) {
  planted.set(`src/cli/planted-${name}.ts`, { text: `// Planted.\n${text}\n`, rule: 'plugin' });
}
planted.set('src/shared/planted-long.ts', {
  text: Array.from({ length: 301 }, (_, i) => `export const v${i} = ${i};`).join('\n'),
  rule: 'lint/style/noExcessiveLinesPerFile',
});

const report = z.object({
  diagnostics: z.array(z.object({ category: z.string(), location: z.object({ path: z.string() }) })),
});

/** Rules that are broken in the copy, by path. One run: each looks at all that is imported. */
function lintCopy(): ReadonlyMap<string, readonly string[]> {
  const copy = mkdtempSync(join(tmpdir(), 'pyro-gates-'));
  try {
    for (const part of ['biome.json', 'scripts/programs.grit', 'scripts/printing.grit', 'src'])
      cpSync(join(root, part), join(copy, part), { recursive: true });
    for (const [path, { text }] of planted) writeFileSync(join(copy, path), text);
    const biome = join(root, 'node_modules/.bin/biome');
    const args = ['lint', '--reporter=json', '--max-diagnostics=none', 'src'];
    const { status, stdout, stderr } = spawnSync(biome, args, { cwd: copy, encoding: 'utf8' });
    if (status !== 1) throw new Error(`biome ended with ${status}: ${stderr}`);
    const found = new Map<string, string[]>();
    for (const { category, location } of report.parse(JSON.parse(stdout)).diagnostics)
      found.set(location.path, [...(found.get(location.path) ?? []), category]);
    return found;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

describe('the rules of the linter', () => {
  const found = lintCopy();

  it.each([...planted].map(([path, { rule }]) => ({ path, rule })))('$rule is found in $path', ({ path, rule }) => {
    expect(found.get(path)).toContain(rule);
  });

  it('find nothing where nothing was planted', () => {
    expect([...found.keys()].filter((path) => !planted.has(path))).toEqual([]);
  });
});

/** What somebody can still look over */
const mostFiles = 16;
const mostLines = 1700;

describe('a room of the engine', () => {
  const engine = join(root, 'src/engine');
  const rooms = readdirSync(engine, { withFileTypes: true }).filter((each) => each.isDirectory());

  it.each(rooms.map(({ name }) => name))('%s is small', (room) => {
    const files = readdirSync(join(engine, room));
    const lines = files.map((file) => readFileSync(join(engine, room, file), 'utf8').split('\n').length - 1);
    expect(files.length).toBeLessThanOrEqual(mostFiles);
    expect(lines.reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(mostLines);
  });
});
