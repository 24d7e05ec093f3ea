// The disk of a stopped workspace over a stand-in guest: listed, read and exported, while it stays stopped.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { diskExportInput, diskListInput, diskReadInput } from '../../../../src/contract/snapshots.ts';
import { hintCall } from '../../../../src/shared/hint-words.ts';
import { call } from '../../../support/engine.ts';
import { cancelAllAlong, StandInHouse } from '../../../support/stand-in-house.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';

const obstacle = standInObstacle();
const value = 'a-secret-of-the-disk';
let house: StandInHouse;

beforeAll(async () => {
  if (obstacle !== undefined) return;
  // More memory than a helper guest needs.
  house = await StandInHouse.open({ secrets: [{ name: 'TOKEN', value }], mem_mib: 2048 });
  await house.sh('mkdir d; echo text > d/f; ln -s f d/l; echo other > g');
});
afterAll(async () => await house?.[Symbol.asyncDispose]());

const list = (given: Record<string, unknown> = {}) =>
  house.all.diskList(diskListInput.parse({ workspace_id: house.id, recursive: true, ...given }), call());
const read = (path: string) => house.all.diskRead(diskReadInput.parse({ workspace_id: house.id, path }), call());
const exported = (given: Record<string, unknown>, signal = new AbortController().signal) =>
  house.all.diskExport(
    diskExportInput.parse({ workspace_id: house.id, include_secrets: true, ...given }),
    call({ signal }),
  );

function layersOf(): string[] {
  return readdirSync(join(house.engine.paths.state, 'workspaces', house.id)).sort();
}

describe.skipIf(obstacle !== undefined)('the disk of a stopped workspace', () => {
  it('is not looked at while the workspace runs', async () => {
    const refused = { code: 'workspace_running', hint: expect.stringContaining('stop it first') };
    await expect(list()).rejects.toMatchObject(refused);
    await expect(read('g')).rejects.toMatchObject(refused);
    await expect(exported({ output_path: house.on('x') })).rejects.toMatchObject(refused);
    await house.all.stop({ workspace_id: house.id }, call());
  });

  it('is listed and read by a guest of ours, of which nothing is left', async () => {
    const before = layersOf();
    const { entries } = await list();
    expect(entries.map(({ path }) => path)).toEqual([
      '/workspace/d',
      '/workspace/d/f',
      '/workspace/d/l',
      '/workspace/g',
    ]);
    expect(await read('d/f')).toMatchObject({ content: 'text\n', truncated: false });
    await expect(read('none')).rejects.toMatchObject({
      code: 'file_missing',
      hint: expect.stringContaining(hintCall('workspace.disk.list', { workspace_id: house.id })),
    });
    expect(layersOf()).toEqual(before);
    expect(house.engine.engine().activity().runningGuests).toBe(0);
    expect((await house.all.status({ workspace_id: house.id }, call())).state).toBe('stopped');
  });

  it('is exported as an archive or as a disk, which takes the place of nothing else', async () => {
    const tar = house.on('out/tree.tar');
    expect(await exported({ output_path: tar, format: 'tar', path: 'd' })).toMatchObject({ disk_format: 'tar' });
    expect(execFileSync('tar', ['-xOf', tar, 'f'], { encoding: 'utf8' })).toBe('text\n');
    for (const format of ['raw', 'qcow2']) {
      const output = house.on(`out/disk.${format}`);
      expect((await exported({ output_path: output, format })).bytes_written).toBeGreaterThan(1000);
      const before = readFileSync(output);
      await expect(exported({ output_path: output, format })).rejects.toMatchObject({ code: 'output_exists' });
      expect(readFileSync(output).equals(before)).toBe(true);
    }
    expect((await exported({ output_path: tar, format: 'qcow2', overwrite: true })).bytes_written).toBeGreaterThan(
      1000,
    );
    mkdirSync(house.on('out/folder'));
    const overwriting = exported({ output_path: house.on('out/folder'), overwrite: true });
    await expect(overwriting).rejects.toMatchObject({ code: 'output_exists', hint: 'choose the path of a file' });
    execFileSync('mkfifo', [house.on('out/pipe')]);
    await expect(exported({ output_path: house.on('out/pipe'), overwrite: true })).rejects.toMatchObject({
      code: 'export_refused',
    });
  });

  it('is exported once where two ask at once, and leaves no draft where it is cancelled', async () => {
    const output_path = house.on('once/disk.raw');
    const both = await Promise.allSettled([1, 2].map(async () => await exported({ output_path, format: 'raw' })));
    expect(both.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(0);
    for (const format of ['tar', 'qcow2']) {
      const work = async (signal: AbortSignal) => await exported({ output_path, format, overwrite: true }, signal);
      expect(await cancelAllAlong(work, 6)).toBeGreaterThan(0);
    }
    expect(readdirSync(house.on('once'))).toEqual(['disk.raw']);
    expect(house.engine.engine().activity().runningGuests).toBe(0);
  });

  it('with a secret on it is shown with stars, and goes out in no format', async () => {
    await house.all.start({ workspace_id: house.id }, call());
    await house.sh(`printf '%s' '${value}' > secret; sync`);
    await house.all.stop({ workspace_id: house.id }, call());
    expect((await read('secret')).content).toBe('*'.repeat(value.length));
    for (let offset = 0; offset < value.length; offset += 7) {
      const page = diskReadInput.parse({ workspace_id: house.id, path: 'secret', offset, max_bytes: 7 });
      expect((await house.all.diskRead(page, call())).content).toMatch(/^\*{1,7}$/);
    }
    for (const format of ['tar', 'raw', 'qcow2']) {
      const output_path = house.on(`hot/disk.${format}`);
      await expect(exported({ output_path, format, include_secrets: format === 'tar' })).rejects.toMatchObject({
        code: 'secret_in_output',
      });
      expect(existsSync(output_path)).toBe(false);
    }
    expect(readdirSync(house.on('hot'))).toEqual([]);
    for (const format of ['raw', 'qcow2']) {
      const output_path = house.on(`asked/disk.${format}`);
      await exported({ output_path, format, include_secrets: true });
      expect(statSync(output_path).mode & 0o777).toBe(0o600);
    }
    // What lies elsewhere is clean.
    await exported({ output_path: house.on('hot/d.tar'), format: 'tar', path: 'd' });
  });

  it('that cannot be looked at, since no guest starts, is as it was', async () => {
    const before = layersOf();
    house.engine.standIn.failures.set('startOnDisk', new Error('no guest today'));
    house.engine.standIn.failures.set('startFresh', new Error('no guest today'));
    await expect(read('g')).rejects.toThrow('no guest today');
    house.engine.standIn.failures.clear();
    expect(layersOf()).toEqual(before);
    await house.all.start({ workspace_id: house.id }, call());
    expect(await house.sh('cat d/f')).toBe('text\n');
  });
});
