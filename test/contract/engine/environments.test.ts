// The environments of the cache as a user sees and clears them: what a workspace needs of one stays with the workspace.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { envPruneInput, envPullInput } from '../../../src/contract/environments.ts';
import { measureStorage } from '../../../src/engine/host/storage.ts';
import { call, createRequest, exec } from '../../support/engine.ts';
import { pushImage, registryMissing, startRegistry } from '../../support/registry.ts';
import { openStandInEngine, type StandInEngine } from '../../support/stand-in-engine.ts';
import { standInObstacle } from '../../support/stand-in-machine.ts';

const obstacle = standInObstacle();
let engine: StandInEngine;

beforeAll(async () => {
  if (obstacle === undefined) engine = await openStandInEngine();
});
afterAll(async () => await engine?.[Symbol.asyncDispose]());

const test = it.skipIf(obstacle !== undefined);

describe('one cache, read and then cleared', { shuffle: false }, () => {
  test('the list has the catalogue with what is cached of it', async () => {
    const list = await engine.engine().listEnvironments();
    expect(list.find(({ name }) => name === 'debian:12')).toMatchObject({ installed: true, source: 'packages' });
    expect(list.find(({ name }) => name === 'node:24')).toMatchObject({
      installed: false,
      digest: null,
      image_bytes: null,
    });
  });

  test('one is told in full; one that is not there says how to get it', async () => {
    expect(await engine.engine().inspectEnvironment('debian:12')).toMatchObject({
      installed: true,
      env: ['PATH=/usr/local/bin:/usr/bin:/bin'],
      path: expect.stringContaining(engine.paths.cache),
    });
    expect(await engine.engine().inspectEnvironment('node:24')).toMatchObject({
      installed: false,
      path: null,
      working_dir: '/',
    });
    await expect(engine.engine().inspectEnvironment('localhost:1/none')).rejects.toMatchObject({
      code: 'environment_not_installed',
    });
    await expect(engine.engine().inspectEnvironment('not a name!')).rejects.toThrow('not an image reference');
  });

  it.skipIf(obstacle !== undefined || registryMissing !== undefined)(
    'one of a registry comes once, and is a name like another',
    async () => {
      const registry = await startRegistry();
      try {
        await pushImage(registry.host, 'small', [{ entries: [{ name: 'f', data: 'x' }] }]);
        const name = `${registry.host}/small`;
        const request = envPullInput.parse({ environment: name });
        const pulled = await engine.engine().pullEnvironment(request, call());
        expect(pulled).toMatchObject({ name, outcome: 'pulled', source: 'registry', previous_digest: null });
        expect(await engine.engine().pullEnvironment(request, call())).toMatchObject({
          outcome: 'up_to_date',
          digest: pulled.digest,
        });
        expect((await engine.engine().listEnvironments()).find((each) => each.name.startsWith(name))).toMatchObject({
          installed: true,
          description: 'OCI image',
        });
        // A run pulls what is not there.
        const { workspace_id: id } = await engine.workspaces().create({ ...createRequest, environment: name }, call());
        expect((await exec(engine, id, 'echo on')).stdout).toBe('on\n');
        await engine.workspaces().delete({ workspace_id: id, force: true, dry_run: false }, call());
      } finally {
        await registry.stop();
      }
    },
  );

  test('a prune of everything takes the cache away, and no workspace anything', async () => {
    const { workspace_id: id } = await engine.workspaces().create(createRequest, call());
    await exec(engine, id, 'echo x > f');
    const template = join(engine.paths.cache, 'templates', 'a'.repeat(64));
    mkdirSync(template, { recursive: true });
    writeFileSync(join(template, 'template.json'), '{}');
    const told = await engine.engine().pruneEnvironments(envPruneInput.parse({ all: true, dry_run: true }));
    expect(told.removed.join('\n')).toMatch(/template aaaaaaaaaaaa/);
    expect(existsSync(template)).toBe(true);
    const done = await engine.engine().pruneEnvironments(envPruneInput.parse({ all: true }));
    expect(done).toMatchObject({ removed: told.removed, freed_bytes: told.freed_bytes, dry_run: false });
    expect(existsSync(template)).toBe(false);
    expect((await engine.engine().listEnvironments()).filter(({ installed }) => installed)).toEqual([]);
    await engine.workspaces().stop({ workspace_id: id }, call());
    await engine.workspaces().start({ workspace_id: id }, call());
    expect((await exec(engine, id, 'cat f')).stdout).toBe('x\n');
    await engine.workspaces().reset({ workspace_id: id, snapshot: 'baseline' }, call());
    expect((await exec(engine, id, 'ls')).stdout).toBe('');
  });

  test('what is held on the disk is counted by kind, each file once', async () => {
    const uses = await measureStorage(engine.paths, call().signal);
    expect(uses.map(({ kind }) => kind)).toEqual([
      'environments',
      'downloads',
      'templates',
      'projects',
      'workspaces',
      'logs',
      'other',
    ]);
    const workspaces = uses.find(({ kind }) => kind === 'workspaces');
    expect(workspaces).toMatchObject({ count: 1 });
    expect(workspaces?.bytes).toBeGreaterThan(0);
    await expect(measureStorage(engine.paths, AbortSignal.abort(new Error('cancelled')))).rejects.toThrow('cancelled');
  });
});
