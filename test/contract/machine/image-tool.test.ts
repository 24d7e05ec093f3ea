// qemu-img shut in: it does its work on layers, and whatever takes it over finds no file but its own, no network and nobody.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { type Confinement, type ConfinementForm, inspectConfinement } from '../../../src/machine/confinement.ts';
import { runImageTool } from '../../../src/machine/image-tool.ts';
import { qemuLayers } from '../../../src/machine/layers.ts';

const folder = mkdtempSync('/var/tmp/pyro-tool-');
const secret = join(folder, 'secret');
const disks = join(folder, 'disks');
const isRoot = process.getuid?.() === 0;
const { signal } = new AbortController();
const told: string[] = [];
let confinement: Confinement;
let server: Server;
let port: number;

const all = { namespaces: true, userNamespace: !isRoot, ownUser: isRoot, landlock: true };
const forms: readonly (readonly [string, ConfinementForm])[] = [
  ['everything', all],
  ['a user namespace', { ...all, userNamespace: true, ownUser: false }],
  ['Landlock alone', { namespaces: false, userNamespace: false, ownUser: false, landlock: true }],
];

beforeAll(async () => {
  const found = await inspectConfinement({ path: '/usr/bin/true', stamp: 'tool' }, join(folder, 'cache'), true);
  confinement = { ...found, onFailure: (why) => void told.push(why) };
  server = createServer((connection) => connection.end());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  port = z.object({ port: z.number() }).parse(server.address()).port;
  writeFileSync(secret, 'of the host', { mode: 0o644 });
  truncateSync(secret, 1 << 20);
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  rmSync(disks, { recursive: true, force: true });
  mkdirSync(disks, { mode: 0o700 });
  told.length = 0;
});

function at(name: string): string {
  return join(disks, name);
}

/** A disk whose file below is of a kind that names a file of the host as its content. */
function plantAttack(): void {
  const lines = [
    '# Disk DescriptorFile',
    'version=1',
    'CID=12345678',
    'parentCID=ffffffff',
    'createType="monolithicFlat"',
  ];
  writeFileSync(at('low.qcow2'), [...lines, `RW 2048 FLAT "${secret}" 0`, ''].join('\n'));
  execFileSync('qemu-img', [
    'create',
    '-q',
    '-u',
    '-f',
    'qcow2',
    '-F',
    'vmdk',
    '-b',
    'low.qcow2',
    at('top.qcow2'),
    '1M',
  ]);
  execFileSync('qemu-io', ['-f', 'qcow2', '-c', 'write -P 65 0 512', at('top.qcow2')], { stdio: 'ignore' });
}

describe.each(forms)('qemu-img shut in by %s', (_how, form) => {
  it('opens no file of the host that a disk leads it to', async () => {
    const before = readFileSync(secret);
    plantAttack();
    writeFileSync(at('flat'), '');
    const shutIn = { ...confinement, form };
    const files = { read: [at('top.qcow2'), at('low.qcow2')], write: [at('flat')], sizeMib: 1 };
    const convert = ['convert', '-f', 'qcow2', '-O', 'raw', at('top.qcow2'), at('flat')];
    await expect(runImageTool(shutIn, { ...files, args: convert }, signal)).rejects.toMatchObject({
      code: 'tool_failed',
    });
    expect(readFileSync(at('flat'), 'latin1')).not.toContain('of the host');
    const commit = { args: ['commit', '-q', '-d', '-f', 'qcow2', at('top.qcow2')], sizeMib: 1 };
    await expect(
      runImageTool(shutIn, { ...commit, write: [at('top.qcow2'), at('low.qcow2')] }, signal),
    ).rejects.toMatchObject({ code: 'tool_failed', message: expect.stringContaining('secret') });
    expect(readFileSync(secret).equals(before)).toBe(true);
    expect(told).toEqual([]);
  });

  it('makes, merges and flattens layers as before', async () => {
    const layers = qemuLayers({ ...confinement, form });
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', at('base.qcow2'), '4M']);
    await layers.create(at('one.qcow2'), 'base.qcow2', 4, signal);
    await layers.create(at('two.qcow2'), 'one.qcow2', 4, signal);
    for (const [name, sign] of [
      ['base', 65],
      ['one', 66],
      ['two', 67],
    ] as const) {
      const place = { base: 0, one: 512, two: 1024 }[name];
      execFileSync('qemu-io', ['-f', 'qcow2', '-c', `write -P ${sign} ${place} 512`, at(`${name}.qcow2`)], {
        stdio: 'ignore',
      });
    }
    expect(await layers.below(at('two.qcow2'))).toBe('one.qcow2');
    const chain = { disk: at('two.qcow2'), below: [at('one.qcow2'), at('base.qcow2')], sizeMib: 4 };
    await layers.flatten(chain, at('flat.raw'), 'raw', signal);
    const whole = Buffer.from('A'.repeat(512) + 'B'.repeat(512) + 'C'.repeat(512));
    expect(readFileSync(at('flat.raw')).subarray(0, 1536).equals(whole)).toBe(true);
    expect(statSync(at('flat.raw'))).toMatchObject({ size: 4 << 20, uid: process.getuid?.(), mode: 0o100600 });
    await layers.create(at('three.qcow2'), 'two.qcow2', 4, signal);
    const merge = {
      from: 'two.qcow2',
      into: 'one.qcow2',
      children: ['three.qcow2'],
      below: ['base.qcow2'],
      sizeMib: 4,
    };
    await layers.merge(disks, merge, signal);
    // One that was cut off before its end is merged again.
    await layers.merge(disks, merge, signal);
    expect(await layers.below(at('three.qcow2'))).toBe('one.qcow2');
    rmSync(at('two.qcow2'));
    const merged = { disk: at('three.qcow2'), below: [at('one.qcow2'), at('base.qcow2')], sizeMib: 4 };
    await layers.flatten(merged, at('flat.qcow2'), 'qcow2', signal);
    execFileSync('qemu-img', ['convert', '-O', 'raw', at('flat.qcow2'), at('again.raw')]);
    expect(readFileSync(at('again.raw')).subarray(0, 1536).equals(whole)).toBe(true);
    expect(told).toEqual([]);
  });

  it('would, taken over, find nothing else either', async () => {
    const bin = join(folder, 'tool', 'bin');
    mkdirSync(bin, { recursive: true });
    const attempts = [
      `cat ${secret}`,
      'cat /etc/passwd',
      'ls /root',
      `echo x >> ${secret}`,
      `echo x >> ${at('read.qcow2')}`,
      `: > ${at('new')}`,
      ': > /tmp/pyro-tool-new',
      `: < /dev/tcp/127.0.0.1/${port}`,
      `kill -0 ${process.pid}`,
    ];
    const script = `#!/bin/bash\n${attempts.map((each, index) => `if { ${each}; } &> /dev/null; then echo ${index}; fi`).join('\n')}\ncat ${at('read.qcow2')}\n`;
    // The script tells by the one file that it may write.
    writeFileSync(join(bin, 'qemu-img'), script.replace('#!/bin/bash\n', `#!/bin/bash\nexec > ${at('out')}\n`));
    chmodSync(join(bin, 'qemu-img'), 0o755);
    writeFileSync(at('read.qcow2'), 'its own', { mode: 0o600 });
    writeFileSync(at('out'), '', { mode: 0o600 });
    vi.stubEnv('PATH', `${bin}:${process.env['PATH'] ?? ''}`);
    try {
      const call = { args: [], read: [at('read.qcow2')], write: [at('out')], sizeMib: 1 };
      await runImageTool({ ...confinement, form }, call, signal);
    } finally {
      vi.unstubAllEnvs();
    }
    expect(readFileSync(at('out'), 'utf8')).toBe('its own');
    expect(told).toEqual([]);
  });
});

it('ends at once with a call that is cancelled, and leaves nothing', async () => {
  const bin = join(folder, 'slow', 'bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'qemu-img'), `#!/bin/bash\necho begun > ${at('out')}\nsleep 1000\n`, { mode: 0o755 });
  writeFileSync(at('out'), '', { mode: 0o600 });
  vi.stubEnv('PATH', `${bin}:${process.env['PATH'] ?? ''}`);
  const cancel = new AbortController();
  try {
    const running = runImageTool(confinement, { args: [], write: [at('out')], sizeMib: 1 }, cancel.signal);
    await vi.waitUntil(() => readFileSync(at('out'), 'utf8') !== '', { timeout: 20_000 });
    const started = performance.now();
    cancel.abort();
    await expect(running).rejects.toMatchObject({ code: 'cancelled' });
    expect(performance.now() - started).toBeLessThan(1500);
  } finally {
    vi.unstubAllEnvs();
  }
});

it('that cannot be shut in does its work all the same, which is told', async () => {
  const layers = qemuLayers({ ...confinement, form: all, programFiles: [], launcher: '/usr/bin/false' });
  await expect(layers.create(at('one.qcow2'), 'base.qcow2', 4, signal)).rejects.toMatchObject({ code: 'tool_failed' });
  const broken = join(folder, 'launcher');
  writeFileSync(broken, '#!/bin/sh\necho "confine: no" >&2\nexit 125\n', { mode: 0o755 });
  await qemuLayers({ ...confinement, form: all, launcher: broken }).create(at('two.qcow2'), 'base.qcow2', 4, signal);
  expect(told).toEqual(['qemu-img: confine: no']);
});
