// The library with a real daemon, in a home of its own, as far as no guest is needed.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Progress, Pyro, PyroError } from '../../src/index.ts';
import { operations } from '../../src/operations/index.ts';

const before = process.env['PYRO_HOME'];
const home = mkdtempSync(join(tmpdir(), 'pl-'));
const pyro = new Pyro();

beforeAll(() => {
  process.env['PYRO_HOME'] = home;
});

afterAll(async () => {
  await pyro.daemon.stop({ force: true });
  if (before === undefined) delete process.env['PYRO_HOME'];
  else process.env['PYRO_HOME'] = before;
  rmSync(home, { recursive: true, force: true });
});

/** What stands at `workspace.execSignal` of an object. */
function methodAt(owner: unknown, name: string): unknown {
  const words = name
    .split('.')
    .map((word) => word.replaceAll(/[_-](.)/g, (_all, letter: string) => letter.toUpperCase()));
  return words.reduce<unknown>(
    (at, word) => (typeof at === 'object' && at !== null ? Object.entries(at).find(([key]) => key === word)?.[1] : at),
    owner,
  );
}

describe('the methods', () => {
  it.each(operations.map(({ definition }) => definition.name))('have %s', (name) => {
    expect(methodAt(pyro, name)).toBeTypeOf('function');
  });

  it('of a workspace leave its id out, and what is on no workspace', async () => {
    const workspace = pyro.workspaces.open('0123456789ab');
    await expect(workspace.file.read({ path: 'a' })).rejects.toMatchObject({
      code: 'workspace_unknown',
      message: expect.stringContaining('0123456789ab'),
    });
    expect(methodAt(workspace, 'create')).toBeUndefined();
    expect(methodAt(workspace, 'service.start')).toBeTypeOf('function');
  });
});

describe('a call', () => {
  it('gives the structured result, from the daemon and from this process', async () => {
    expect(await pyro.workspace.list()).toEqual({ count: 0, workspaces: [], next_cursor: null });
    const { environments } = await pyro.env.list();
    expect(environments.map(({ name }) => name)).toContain('debian:12');
  });

  it('refuses input that does not fit before anything runs, and names what would', async () => {
    const failure = await pyro.workspace.status({ workspace_id: '' }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(PyroError);
    expect(failure).toMatchObject({ code: 'usage', hint: expect.stringContaining('arguments: workspace_id') });
  });

  it('takes what a program means, and tells it by onNote', async () => {
    const notes: string[] = [];
    const input: { workspace_id: string } = JSON.parse('{"id":"nonsense"}');
    const failure = await pyro.workspace
      .status(input, { onNote: (note) => notes.push(note) })
      .catch((error: unknown) => (error instanceof PyroError ? error.code : error));
    expect([failure, notes]).toEqual(['workspace_unknown', ['id was taken for workspace_id']]);
  });

  it('fails with the code and the hint of the operation', async () => {
    const failure = pyro.workspace.delete({ workspace_id: '0123456789ab' });
    await expect(failure).rejects.toMatchObject({ code: 'workspace_unknown', retryable: false });
    await expect(failure).rejects.toHaveProperty('hint', expect.stringContaining('workspace.list()'));
  });

  it('is cancelled by its own signal and by that of the client', async () => {
    await expect(pyro.env.list({}, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'cancelled' });
    await expect(pyro.workspace.list({}, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'cancelled' });
    const ended = new Pyro({ signal: AbortSignal.abort() });
    await expect(ended.workspace.list()).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('tells its progress and gives live output where it is asked for', async () => {
    const qemu = process.env['PYRO_QEMU'];
    process.env['PYRO_QEMU'] = '/nonexistent';
    const stdout = new PassThrough();
    const stderr = new PassThrough();
    const progress: Progress[] = [];
    try {
      const input = { environment: 'debian:12', command: ['sh', '-c', 'echo live; exit 5'], allow_host_compat: true };
      const { exit_code } = await pyro.run(input, {
        onProgress: (each) => progress.push(each),
        streams: { stdout, stderr },
      });
      expect(exit_code).toBe(5);
    } finally {
      if (qemu === undefined) delete process.env['PYRO_QEMU'];
      else process.env['PYRO_QEMU'] = qemu;
    }
    stdout.end();
    expect(await text(stdout)).toBe('live\n');
    expect(progress.map(({ phase }) => phase)).toContain('host_compat');
  });
});
