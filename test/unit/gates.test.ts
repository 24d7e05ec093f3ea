// The linter's rules for layers, cycles and file length really fail: a violation is planted in each room.
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';

const root = new URL('../..', import.meta.url).pathname;
const planted: string[] = [];

function plant(path: string, text: string): void {
  const full = join(root, path);
  writeFileSync(full, text);
  planted.push(full);
}

function lint(...paths: string[]): { status: number | null; output: string } {
  const result = spawnSync(join(root, 'node_modules/.bin/biome'), ['lint', ...paths], { cwd: root, encoding: 'utf8' });
  return { status: result.status, output: result.stdout + result.stderr };
}

afterEach(() => {
  for (const path of planted.splice(0)) rmSync(path, { force: true });
});

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
  contract: '../system/files.ts',
  engine: '../operations/index.ts',
  'engine/output': '../guests/machine-room.ts',
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

describe('the layer rules', () => {
  it.each(Object.entries(forbidden))('%s may not import %s', (room, target) => {
    const path = `src/${room}/planted-layer.ts`;
    plant(path, `// Planted.\nexport * as planted from '${target}';\n`);
    const { status, output } = lint(path);
    expect(output).toContain('noRestrictedImports');
    expect(status).not.toBe(0);
  });

  it('finds a cycle', () => {
    plant(
      'src/shared/planted-a.ts',
      "// A.\nimport { b } from './planted-b.ts';\nexport const a = (): number => b();\n",
    );
    plant(
      'src/shared/planted-b.ts',
      "// B.\nimport { a } from './planted-a.ts';\nexport const b = (): number => a();\n",
    );
    const { status, output } = lint('src/shared/planted-a.ts', 'src/shared/planted-b.ts');
    expect(output).toContain('noImportCycles');
    expect(status).not.toBe(0);
  });

  it('finds a file of more than 300 lines', () => {
    plant('src/shared/planted-long.ts', Array.from({ length: 301 }, (_, i) => `export const v${i} = ${i};`).join('\n'));
    const { status, output } = lint('src/shared/planted-long.ts');
    expect(output).toContain('noExcessiveLinesPerFile');
    expect(status).not.toBe(0);
  });
});
