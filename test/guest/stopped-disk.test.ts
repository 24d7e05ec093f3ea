// The disk of a workspace that is stopped, and one that is larger than usual, with real guests.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call, createRequest, exec, openTestEngine, type TestEngine } from '../support/engine.ts';

let engine: TestEngine;
let id = '';

beforeAll(async () => {
  engine = await openTestEngine();
  id = (await engine.workspaces().create(createRequest, call())).workspace_id;
});

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
});

describe('the disk of a stopped workspace', () => {
  it('is listed, read and exported by a guest that runs nothing of it', async () => {
    await exec(engine, id, 'find . -mindepth 1 -delete; mkdir d; echo text > d/f; echo sys > /etc/sys; sync');
    const list = { path: '/workspace', recursive: true, limit: 10 };
    await expect(engine.workspaces().diskList({ ...list, workspace_id: id }, call())).rejects.toMatchObject({
      code: 'workspace_running',
    });
    await engine.workspaces().stop({ workspace_id: id }, call());
    const listed = await engine.workspaces().diskList({ ...list, workspace_id: id }, call());
    expect(listed.entries.map((entry) => entry.path)).toEqual(['/workspace/d', '/workspace/d/f']);
    const read = { path: '/etc/sys', max_bytes: 100 };
    expect((await engine.workspaces().diskRead({ ...read, workspace_id: id }, call())).content).toBe('sys\n');
    for (const format of ['tar', 'qcow2', 'raw'] as const) {
      const output_path = join(engine.paths.state, `out.${format}`);
      const request = { output_path, format, path: '/workspace', overwrite: false, include_secrets: false };
      expect(
        (await engine.workspaces().diskExport({ ...request, workspace_id: id }, call())).bytes_written,
      ).toBeGreaterThan(1000);
      await expect(engine.workspaces().diskExport({ ...request, workspace_id: id }, call())).rejects.toMatchObject({
        code: 'output_exists',
      });
    }
    await engine.workspaces().start({ workspace_id: id }, call());
    expect((await exec(engine, id, 'cat d/f')).stdout).toBe('text\n');
  });

  it('grows when more is asked for', async () => {
    const big = await engine.workspaces().create({ ...createRequest, disk_mib: 12_288 }, call());
    const size = await exec(engine, big.workspace_id, 'df --output=size -BM / | tail -1');
    expect(Number.parseInt(size.stdout, 10)).toBeGreaterThan(11_000);
    await engine.workspaces().delete({ workspace_id: big.workspace_id, force: true, dry_run: false }, call());
  });
});
