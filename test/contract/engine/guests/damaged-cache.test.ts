// Bytes of the cache that change at equal size are found at the first use after a start; what has gone bad is made anew, and who runs on it is told.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readFindings } from '../../../../src/engine/guests/content-watch.ts';
import { checkContents } from '../../../../src/engine/host/doctor-host.ts';
import { publish, readTemplate, templateFolder } from '../../../../src/machine/template.ts';
import { savedContent } from '../../../../src/machine/used-content.ts';
import { ContentChecks, type KeptContent, keptPieceBytes, sumsOf } from '../../../../src/system/content-check.ts';
import { FaultHome } from '../../../support/fault-home.ts';
import { standInObstacle } from '../../../support/stand-in-machine.ts';
import { until } from '../../../support/until.ts';

/** One bit of a file, at equal size. */
async function flip(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  byte[0] = (byte[0] ?? 0) ^ 1;
  await file.write(byte, 0, 1, at);
  await file.close();
}

const runSchema = z.object({ stdout: z.string(), damage_note: z.string().nullable() });
const noteSchema = z.object({ note: z.string().nullable() });

describe('files of a template', () => {
  let cache: string;
  const key = 'a'.repeat(32);
  const signal = new AbortController().signal;
  beforeEach(async () => {
    cache = mkdtempSync(join(tmpdir(), 'pc-'));
    const draft = join(cache, 'draft');
    mkdirSync(draft);
    mkdirSync(join(cache, 'templates'));
    for (const name of ['ram', 'state', 'disk.qcow2', 'overlay.qcow2'])
      writeFileSync(join(draft, name), name.repeat(100_000));
    const made = { key, magic: Buffer.alloc(16), environmentDigest: 'sha256:0', buildMs: 1 };
    await publish(draft, templateFolder(cache, key), made);
  });
  afterEach(() => rmSync(cache, { recursive: true, force: true }));

  it.each(['ram', 'state', 'disk.qcow2', 'overlay.qcow2'])(
    'are dropped together when a bit of %s has changed',
    async (name) => {
      const saved = await readTemplate(cache, key);
      if (saved === undefined) throw new Error('there is no template');
      const content = savedContent({ cacheFolder: cache }, saved);
      const checks = new ContentChecks(join(cache, 'checked.json'), signal);
      expect(await checks.check(content)).toBe('good');
      await flip(join(templateFolder(cache, key), name), 150_000);
      expect(await checks.check(content)).toBe('changed');
      await content.drop?.();
      expect(readdirSync(join(cache, 'templates'))).toEqual([]);
    },
  );

  it('are not read again while the machine runs, unless somebody has written to them', async () => {
    const saved = await readTemplate(cache, key);
    if (saved === undefined) throw new Error('there is no template');
    const content = savedContent({ cacheFolder: cache }, saved);
    const memory = join(cache, 'checked.json');
    expect(await new ContentChecks(memory, signal).check(content)).toBe('good');
    const ram = join(templateFolder(cache, key), 'ram');
    const { atime, mtime } = statSync(ram);
    await flip(ram, 150_000);
    utimesSync(ram, atime, mtime);
    // A time of whole milliseconds is another one than it was: nobody sets it back by accident.
    expect(await new ContentChecks(memory, signal).check(content)).toBe('changed');
    // One that is gone has not gone bad: it is made anew anyway.
    rmSync(ram);
    expect(await new ContentChecks(memory, signal).check(content)).toBe('gone');
  });
});

describe('a look at a large file that was cut off', () => {
  const at = new Date('2026-01-01T00:00:00Z');
  let folder: string;
  let ram: string;
  let content: KeptContent;
  const memory = (): string => join(folder, 'checked.json');
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'pc-'));
    ram = join(folder, 'ram');
    writeFileSync(ram, Buffer.alloc(2.5 * keptPieceBytes, 'memory of a guest\n'));
    utimesSync(ram, at, at);
    const file = { path: ram, ...(await sumsOf({ path: ram, bytes: statSync(ram).size })) };
    content = { label: 'ram', files: async () => [file] };
    const end = new AbortController();
    const looked = new ContentChecks(memory(), end.signal, 4 * keptPieceBytes).check(content);
    const isBegun = (): boolean => existsSync(memory()) && readFileSync(memory(), 'utf8').includes('"pieces": 1');
    await Promise.all([until(isBegun).finally(() => end.abort()), expect(looked).rejects.toThrow('abort')]);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    ['does not read again what was good', 1, 'good'],
    ['reads all the rest', keptPieceBytes + 1, 'changed'],
    ['reads the last bytes', 2.5 * keptPieceBytes - 1, 'changed'],
  ])('%s', async (_, place, state) => {
    await flip(ram, place);
    // As if nobody had written to it, which is how a disk goes bad.
    utimesSync(ram, at, at);
    expect(await new ContentChecks(memory(), new AbortController().signal).check(content)).toBe(state);
  });

  it('begins anew where somebody has written since', async () => {
    await flip(ram, 1);
    expect(await new ContentChecks(memory(), new AbortController().signal).check(content)).toBe('changed');
  });
});

describe.skipIf(standInObstacle() !== undefined)('an image that guests run on', () => {
  it('is dropped with its name when a bit has changed since it was pulled, and its guests and doctor say so', async () => {
    await using home = await FaultHome.open();
    const folder = join(home.paths.cache, 'environments');
    const [digest = ''] = readdirSync(folder);
    await flip(join(folder, digest, 'root.squashfs'), 3);
    const id = await home.create();
    await until(async () => (await readFindings(home.paths)).length > 0);
    // It is told first, and taken away then.
    await until(() => !readdirSync(folder).includes(digest));
    await until(() => readdirSync(join(home.paths.cache, 'refs')).length === 0);
    await until(async () => noteSchema.parse(await home.call('workspace.status', { workspace_id: id })).note !== null);
    // It works on all the same, so that what is in it can be brought home.
    expect(await home.sh(id, 'echo there')).toBe('there\n');
    const [told] = await checkContents(home.paths);
    expect(told).toMatchObject({ name: 'contents', status: 'warn', message: expect.stringContaining('had changed') });
  });

  it('is found by runs alone, each of which goes on where the one before has ended', async () => {
    await using home = await FaultHome.open();
    const folder = join(home.paths.cache, 'environments');
    const [digest = ''] = readdirSync(folder);
    const run = { environment: 'debian:12', command: 'sleep 1; echo done' };
    const before = runSchema.parse(await home.call('vm.run', run));
    expect(before).toMatchObject({ stdout: 'done\n', damage_note: null });
    await flip(join(folder, digest, 'root.squashfs'), 3);
    const after = runSchema.parse(await home.call('vm.run', run));
    expect(after).toMatchObject({ stdout: 'done\n', damage_note: expect.stringContaining('run the command again') });
    expect(readdirSync(folder).filter((name) => name === digest)).toEqual([]);
    const [told] = await checkContents(home.paths);
    expect(told?.message).toContain('had changed');
    expect(readdirSync(join(home.paths.state, 'runs'))).toEqual([]);
    expect(await home.close()).toEqual([]);
  });

  it('is packed anew from a project when a bit of it has changed', async () => {
    await using home = await FaultHome.open();
    const seed = home.on('seed');
    mkdirSync(seed);
    writeFileSync(join(seed, 'file'), 'content\n'.repeat(10_000));
    await home.create({ seed_path: seed });
    const folder = join(home.paths.cache, 'projects');
    const record = readdirSync(folder).find((name) => name.endsWith('.json')) ?? '';
    const read = (): string => JSON.stringify(statSync(join(folder, record)).size);
    const before = read();
    // Its digest is taken behind the call.
    await until(() => read() !== before);
    const image = join(folder, record.replace('.json', '.img'));
    const { ino } = statSync(image);
    await flip(image, 100);
    const id = await home.create({ seed_path: seed });
    await until(async () => (await readFindings(home.paths)).length > 0);
    await until(async () => noteSchema.parse(await home.call('workspace.status', { workspace_id: id })).note !== null);
    await until(() => statSync(image, { throwIfNoEntry: false })?.ino !== ino);
    await home.create({ seed_path: seed });
    expect(statSync(image).ino).not.toBe(ino);
    expect(await home.close()).toEqual([]);
  });
});
