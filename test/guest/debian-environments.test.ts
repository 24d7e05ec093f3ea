// The Debian environments for building and for agents have what they promise: made of packages, and used in guests.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call, createRequest, exec, openTestEngine, type TestEngine } from '../support/engine.ts';

/** Hundreds of megabytes and minutes, so only the target for them makes them: make test-packages */
const isWanted = process.env['PYRO_PACKAGES'] === '1';
const why = isWanted ? '' : ' (skipped: they load packages; make test-packages does so)';

const building = ['cc', 'c++', 'cmake', 'curl', 'git', 'make', 'pkg-config', 'ps', 'python3', 'pip', 'ssh'];
const forAgents = [
  ...building,
  ...['node', 'npm', 'pipx', 'rg', 'fd', 'jq', 'less', 'vi', 'tree', 'file', 'zip', 'unzip', 'rsync', 'strace', 'gdb'],
  ...['lsof', 'sqlite3', 'ip', 'ss', 'locale'],
];

describe.skipIf(!isWanted).each([
  ['debian:12-build', building],
  ['debian:12-dev', forAgents],
])(`%s${why}`, (environment, programs) => {
  let engine: TestEngine;
  let id = '';
  const project = mkdtempSync(join(tmpdir(), 'pyro-empty-'));

  beforeAll(async () => {
    engine = await openTestEngine({ hasOwnCache: true });
    const request = { ...createRequest, environment, package_sources: 'host' as const, seed_path: project };
    id = (await engine.workspaces().create({ ...request, wait_seconds: 1200 }, call())).workspace_id;
  }, 1_800_000);
  afterAll(async () => {
    await engine?.[Symbol.asyncDispose]();
    rmSync(project, { recursive: true, force: true });
  });

  const run = async (command: string): Promise<string> => {
    const result = await exec(engine, id, command, { timeout_seconds: 400, wait_seconds: 400 });
    expect(result, JSON.stringify([result.denied_connections, result.stderr])).toMatchObject({ exit_code: 0 });
    return result.stdout;
  };

  it('has its programs', async () => {
    expect(await run(`for name in ${programs.join(' ')}; do command -v $name >/dev/null || echo $name; done`)).toBe('');
  });

  it('makes a virtual environment and installs a package into it', async () => {
    await run('python3 -m venv /tmp/venv && /tmp/venv/bin/pip install six==1.16.0');
    expect(await run('/tmp/venv/bin/python -c "import six; print(six.__version__)"')).toBe('1.16.0\n');
  });

  it('builds a program of C and one of C++', async () => {
    const sources = `printf '#include <stdio.h>\\nint main(void) { puts("c"); }\\n' > a.c
      printf '#include <iostream>\\nint main() { std::cout << "c++" << std::endl; }\\n' > b.cpp
      printf 'all: a b\\n\\t./a\\n\\t./b\\n' > Makefile`;
    expect(await run(`mkdir -p /tmp/build && cd /tmp/build && ${sources}; make -s`)).toBe('c\nc++\n');
  });

  it('knows UTF-8', async () => {
    expect(await run(`python3 -c 'print("\\u00e4\\u4e16")'`)).toBe('ä世\n');
  });
});
