// What the server does itself about a call that failed: a stopped workspace, an environment that cannot be had.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { cachedEnvironments, standIn } from '../../../src/mcp/cached-environments.ts';
import { callTool } from '../../../src/mcp/call.ts';
import { factsOf } from '../../../src/mcp/catalogue.ts';
import { openServerState } from '../../../src/mcp/server-state.ts';
import type { Outcome } from '../../../src/operations/define.ts';
import { operations } from '../../../src/operations/index.ts';
import { PyroError } from '../../../src/shared/errors.ts';
import { serverOptionsSchema } from '../../../src/shared/server-options.ts';

const id = '6f1e538c0e71';

function outcomeOf(text: string): Outcome {
  return { output: {}, text, command: () => ({ stdout: '' }), ids: [], question: undefined, exitCode: 0 };
}

/** What was invoked by a read of a file, in a workspace that is stopped, and the text of the answer. */
async function readIn(profile: string): Promise<{ invoked: string[]; text: string }> {
  const invoked: string[] = [];
  const state = openServerState({
    options: serverOptionsSchema.parse({ profile, no_project_source: true }),
    version: '0',
    catalogue: factsOf(operations),
    operations: async () => operations,
    signal: new AbortController().signal,
    invoke: async (operation, input) => {
      invoked.push(operation.definition.name);
      expect(input).toMatchObject({ workspace_id: id });
      if (invoked.length === 1) throw new PyroError('workspace_stopped', `workspace ${id} was stopped`);
      return outcomeOf('the content\n');
    },
  });
  const entry = state.tools.find(({ name }) => name === 'workspace_file_read');
  if (entry === undefined) throw new Error('the profile reads no files');
  const { content } = await callTool(state, {
    entry,
    args: { workspace_id: id, path: 'a' },
    audience: 'model',
    signal: new AbortController().signal,
    onProgress: () => undefined,
    roots: [],
  });
  return { invoked, text: content.map((block) => (block.type === 'text' ? block.text : '')).join('') };
}

describe('a call on a stopped workspace', () => {
  it('starts it, and says so, where there is no tool for that', async () => {
    const { invoked, text } = await readIn('workspace-core');
    expect(invoked).toEqual(['workspace.file.read', 'workspace.start', 'workspace.file.read']);
    expect(text).toMatch(/^note: the workspace was stopped.*\nthe content\n$/);
  });

  it('is told where there is one', async () => {
    const { invoked, text } = await readIn('workspace-full');
    expect(invoked).toEqual(['workspace.file.read']);
    expect(text).toContain('workspace_start');
  });
});

describe('an environment that the server has chosen and cannot get', () => {
  let home = '';
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'pyro-second-'));
    mkdirSync(join(home, 'cache', 'refs'), { recursive: true });
    vi.stubEnv('PYRO_HOME', home);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(home, { recursive: true });
  });
  const cache = (...names: string[]): void => {
    names.forEach((name, index) => {
      writeFileSync(join(home, 'cache', 'refs', `${index}.json`), JSON.stringify({ name, digest: 'sha256:0' }));
    });
  };

  async function createIn(environment: string, args: object): Promise<{ tried: unknown[]; text: string }> {
    const tried: unknown[] = [];
    const state = openServerState({
      options: serverOptionsSchema.parse({ environment, no_project_source: true }),
      version: '0',
      catalogue: factsOf(operations),
      operations: async () => operations,
      signal: new AbortController().signal,
      invoke: async (_operation, input) => {
        tried.push(input['environment']);
        if (tried.length === 1) throw new PyroError('registry_unreachable', 'no answer');
        return outcomeOf('made\n');
      },
    });
    const entry = state.tools.find(({ name }) => name === 'workspace_create');
    if (entry === undefined) throw new Error('no tool makes workspaces');
    const { content } = await callTool(state, {
      entry,
      args: { ...args },
      audience: 'program',
      signal: new AbortController().signal,
      onProgress: () => undefined,
      roots: [],
    });
    return { tried, text: content.map((block) => (block.type === 'text' ? block.text : '')).join('') };
  }

  it('gives way to one that is cached, and says so', async () => {
    cache('alpine:3', 'debian:12-build');
    const { tried, text } = await createIn('auto', {});
    expect(tried).toEqual(['debian:12', 'debian:12-build']);
    expect(text).toContain('debian:12 is not available now (registry_unreachable): this is debian:12-build');
  });

  it('is an error where the caller has named it, or nothing is cached', async () => {
    expect((await createIn('auto', {})).text).toMatch(/^no answer\n/);
    cache('debian:12-build');
    expect((await createIn('auto', { environment: 'node:24' })).text).toMatch(/^no answer\n/);
    expect((await createIn('node:24', {})).text).toMatch(/^no answer\n/);
  });

  it('is looked for among those whose names can be read', () => {
    cache('node:24', 'debian:12');
    writeFileSync(join(home, 'cache', 'refs', 'strange.json'), '{"name":7}');
    expect(cachedEnvironments(join(home, 'cache'))).toEqual(['debian:12', 'node:24']);
    expect(cachedEnvironments(join(home, 'none'))).toEqual([]);
    expect(standIn(['node:24'], 'node:24')).toBeUndefined();
    expect(standIn(['a', 'debian:12'], 'node:24')).toBe('debian:12');
  });
});
