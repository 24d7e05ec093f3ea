// What the completion of a shell offers: read from the files alone, whatever is in them, and only what fits the place.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { serviceStartInput } from '../../../../src/contract/services.ts';
import { shellOpenInput } from '../../../../src/contract/shells.ts';
import { createInput } from '../../../../src/contract/workspaces.ts';
import { knownNames, nameLines } from '../../../../src/engine/calls/known-names.ts';
import { call, createRequest, exec } from '../../../support/engine.ts';
import { openStandInEngine, type StandInEngine } from '../../../support/stand-in-engine.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';

const obstacle = standInObstacle();
let engine: StandInEngine;
let home = '';
let project = '';
let named = '';
let nameless = '';
let shell = '';

beforeAll(async () => {
  if (obstacle !== undefined) return;
  engine = await openStandInEngine();
  home = mkdtempSync(join(tmpdir(), 'pyro-names-'));
  symlinkSync(engine.paths.state, join(home, 'state'));
  symlinkSync(engine.paths.cache, join(home, 'cache'));
  project = join(home, 'project');
  mkdirSync(join(project, 'deep'), { recursive: true });
  writeFileSync(join(project, 'f'), 'x');
  const request = createInput.parse({ ...createRequest, name: 'named', seed_path: project });
  named = (await engine.workspaces().create(request, call())).workspace_id;
  nameless = (await engine.workspaces().create(createRequest, call())).workspace_id;
  await exec(engine, named, 'echo first');
  await exec(engine, named, 'sleep 1000', { wait_seconds: 0 });
  await engine.workspaces().snapshotCreate({ workspace_id: named, snapshot_name: 'snap' }, call());
  const service = serviceStartInput.parse({ workspace_id: named, service_name: 'web', command: 'sleep 1000' });
  await engine.workspaces().services.start(service, call());
  shell = (await engine.workspaces().shells.open(shellOpenInput.parse({ workspace_id: named }), call())).shell_id;
});
beforeEach(() => void vi.stubEnv('PYRO_HOME', home));
afterEach(() => void vi.unstubAllEnvs());
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  if (home !== '') rmSync(home, { recursive: true, force: true });
});

const test = it.skipIf(obstacle !== undefined);

async function names(kind: string, given: readonly string[] = [], folder = '/'): Promise<string[]> {
  return (await knownNames(kind, given, folder)).map(({ name }) => name);
}

test('workspaces by name and by id, but not what stands there already; a place has a colon', async () => {
  expect((await names('workspace')).sort()).toEqual(['named', named, nameless].sort());
  expect((await names('workspace', ['named'])).sort()).toEqual([named, nameless].sort());
  expect((await names('place')).sort()).toEqual(['named:', `${named}:`, `${nameless}:`].sort());
  const about = (await knownNames('workspace', [], '/')).find(({ name }) => name === 'named')?.about;
  expect(about).toBe(`started, debian:12, ${project}`);
});

test('what is in a workspace, named by a word or left out inside the folder that it came from', async () => {
  expect(await names('sequence', ['named'])).toEqual(['2', '1']);
  expect((await knownNames('sequence', [named], '/')).map(({ about }) => about)).toEqual([
    'running: sleep 1000',
    'echo first',
  ]);
  expect(await names('service', ['named'])).toEqual(['web']);
  expect(await names('shell', ['named'])).toEqual([shell]);
  expect(await names('snapshot', [], join(project, 'deep'))).toEqual(['snap']);
  expect(await names('snapshot', ['sna'], project)).toEqual(['snap']);
  expect(await names('snapshot', [], '/')).toEqual([]);
  expect(await names('no kind of ours', ['named'])).toEqual([]);
});

test('environments of the catalogue say which are cached', async () => {
  const found = await knownNames('environment', [], '/');
  expect(found.find(({ name }) => name === 'debian:12')?.about).toMatch(/^cached: /);
  expect(found.find(({ name }) => name === 'node:24')?.about).not.toMatch(/^cached/);
});

test('where nothing is, or nothing that can be read, there is nothing to offer', async () => {
  const folder = join(engine.paths.state, 'workspaces', 'abcdefabcdef');
  mkdirSync(folder);
  writeFileSync(join(folder, 'workspace.json'), '{');
  expect((await names('workspace')).length).toBe(3);
  rmSync(folder, { recursive: true });
  vi.stubEnv('PYRO_HOME', join(home, 'nowhere'));
  expect(await names('workspace')).toEqual([]);
  expect(await names('sequence', ['named'])).toEqual([]);
  expect(await names('environment')).toContain('debian:12');
});

test('a line for a shell has no character that a terminal would obey', () => {
  const line = nameLines([{ name: 'a', about: 'b\u001b[31m\nc' }]);
  expect(line.slice(0, -1)).not.toContain('\n');
  expect(line).not.toContain('\u001b');
});
