// A probe in QEMU's place: it opens nothing that is not its own, reaches no network, signals nobody.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { MachineSpec } from '../../../src/machine/arguments.ts';
import { type Confinement, type ConfinementForm, inspectConfinement } from '../../../src/machine/confinement.ts';
import {
  newLayersFolder,
  type PlanRequest,
  planConfinement,
  showLayer,
} from '../../../src/machine/confinement-plan.ts';
import { kitFolder } from '../../../src/machine/kit.ts';
import { type QemuProcess, startQemu } from '../../../src/machine/qemu-process.ts';
import { isRunning } from '../../../src/system/processes.ts';
import { diskHeader, standingOn } from '../../support/disk-header.ts';
import { until } from '../../support/until.ts';

// Not below /tmp alone: a folder that the new root happens to stand on is looked into, too.
const folder = mkdtempSync('/var/tmp/pyro-confined-');
const runtime = join(folder, 'run');
const disks = join(folder, 'disks');
const sockets = join(runtime, 'guest');
const secret = join(folder, 'secret');
const isRoot = process.getuid?.() === 0;
let confinement: Confinement;
let servers: Server[];
let port: number;

const mine = {
  read: [join(folder, 'kernel'), join(folder, 'initramfs'), join(disks, 'root'), join(disks, 'base.qcow2')],
  write: join(disks, 'disk.qcow2'),
};

beforeAll(async () => {
  mkdirSync(runtime, { mode: 0o700 });
  mkdirSync(disks, { mode: 0o700 });
  mkdirSync(sockets, { mode: 0o700 });
  for (const path of [...mine.read, join(disks, 'project'), secret, join(disks, 'workspace.json')])
    writeFileSync(path, 'content', { mode: 0o600 });
  writeFileSync(join(disks, 'base.qcow2'), diskHeader({}), { mode: 0o600 });
  writeFileSync(mine.write, standingOn('base.qcow2'), { mode: 0o600 });
  confinement = await inspectConfinement({ path: process.execPath, stamp: 'probe' }, join(folder, 'cache'), true);
  servers = [createServer(), createServer()];
  for (const server of servers) server.on('connection', (connection) => connection.end());
  await once(servers[0]?.listen(0, '127.0.0.1') ?? fail(), 'listening');
  await once(servers[1]?.listen(join(folder, 'socket')) ?? fail(), 'listening');
  port = z.object({ port: z.number() }).parse(servers[0]?.address()).port;
});

afterAll(() => {
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true, force: true });
});

function fail(): never {
  throw new Error('it has no such part');
}

function planOn(disk: string): PlanRequest {
  const machine: MachineSpec = {
    id: 'probe',
    accelerator: 'tcg',
    vcpuCount: 1,
    memoryMib: 256,
    kernel: join(folder, 'kernel'),
    initramfs: join(folder, 'initramfs'),
    magic: '',
    tscKhz: 1,
    memory: { path: join(folder, 'kernel'), isShared: false, isReadOnly: true },
    storage: {
      rootImage: join(disks, 'root'),
      disk,
      below: [join(disks, 'base.qcow2')],
      projectImage: join(disks, 'project'),
    },
    sockets: { agent: '', network: '', qmp: '' },
    isSandboxed: true,
    isIncoming: false,
  };
  return { machine, socketFolder: sockets, diskMib: 64, hasState: false, isSaved: false, processCount: 64 };
}

const findings = z.record(z.string(), z.string());
type Findings = z.infer<typeof findings>;

/** What the probe tries, each under the name of what it is after; it says `ok` or the code of the error. */
function attempts(): string {
  const reads = [
    ...mine.read,
    mine.write,
    secret,
    join(disks, 'workspace.json'),
    '/etc/passwd',
    '/proc/1/environ',
    '/root',
  ];
  const writes = [
    ...mine.read,
    mine.write,
    secret,
    join(disks, 'new'),
    join(sockets, 'new'),
    '/tmp/new',
    '/usr/new',
    '/dev/shm/new',
  ];
  return `
    const fs = require('node:fs'), net = require('node:net'), dgram = require('node:dgram');
    const said = {};
    const attempt = (name, act) => { try { act(); said[name] = 'ok'; } catch (error) { said[name] = error.code; } };
    const connect = (name, to) => new Promise((resolve) => {
      const done = (word) => { said[name] = word; resolve(); };
      try { net.connect(to, () => done('ok')).on('error', (error) => done(error.code)); } catch (error) { done(error.code); }
    });
    for (const path of ${JSON.stringify(reads)})
      attempt('read ' + path, () => fs.statSync(path).isDirectory() ? fs.readdirSync(path) : fs.readFileSync(path));
    for (const path of ${JSON.stringify(writes)})
      attempt('write ' + path, () => fs.closeSync(fs.openSync(path, fs.existsSync(path) ? 'r+' : 'w')));
    attempt('link', () => fs.symlinkSync('/etc/passwd', ${JSON.stringify(join(sockets, 'link'))}));
    for (const [name, pid] of [['test', ${process.pid}], ['parent', process.ppid], ['init', 1], ['all', -1]])
      attempt('signal ' + name, () => process.kill(pid, 0));
    attempt('user', () => process.setuid(0));
    said.uid = String(process.getuid());
    said.pid = String(process.pid);
    attempt('interfaces', () => require('node:os').networkInterfaces());
    said.environment = Object.keys(process.env).sort().join();
    const udp = new Promise((resolve) => {
      try {
        const socket = dgram.createSocket('udp4');
        socket.on('error', (error) => { said.udp = error.code; resolve(); });
        socket.send('x', 53, '127.0.0.1', (error) => { said.udp = error ? error.code : 'ok'; resolve(); });
      } catch (error) { said.udp = error.code; resolve(); }
    });
    const listens = new Promise((resolve) => {
      net.createServer().on('error', (error) => { said.listen = error.code; resolve(); })
        .listen(${JSON.stringify(join(sockets, 'a'))}, () => { said.listen = 'ok'; resolve(); });
    });
    Promise.all([udp, listens, connect('tcp', { port: ${port}, host: '127.0.0.1' }), connect('unix', ${JSON.stringify(join(folder, 'socket'))})])
      .then(() => process.stdout.write('\\n' + JSON.stringify(said) + '\\n', () => process.exit(0)));
  `;
}

async function start(form: ConfinementForm, script: string): Promise<QemuProcess> {
  const confined = await planConfinement({ ...confinement, form }, planOn(mine.write));
  return await startQemu({
    qemu: process.execPath,
    args: ['--openssl-config=/dev/null', '-e', script],
    stateFd: undefined,
    confined,
    messageFile: undefined,
    cgroupName: `probe${process.pid}`,
    limits: { memoryBytes: 2 ** 30, processCount: 64 },
  });
}

async function probe(form: ConfinementForm): Promise<Findings> {
  rmSync(join(sockets, 'a'), { force: true });
  const started = await start(form, attempts());
  await started.ended;
  const line = started
    .lastWords()
    .split('\n')
    .findLast((each) => each.startsWith('{'));
  if (line === undefined) throw new Error(started.lastWords());
  return findings.parse(JSON.parse(line));
}

/** Attempts that came to something. Root without rights may still become who it is. */
function succeeded(said: Findings): string[] {
  return Object.keys(said).filter((name) => said[name] === 'ok' && (name !== 'user' || said['uid'] !== '0'));
}

const landlock = Number(execFileSync(join(kitFolder(), 'confine'), ['--abi']));
const shutIn = { namespaces: true, userNamespace: !isRoot, ownUser: isRoot, landlock: landlock > 0 };
const own = [...mine.read.map((path) => `read ${path}`), `read ${mine.write}`, `write ${mine.write}`, 'listen'];

describe('a program in the place of QEMU', () => {
  it('has the strongest form of confinement where nothing stands against it', () => {
    expect(confinement).toMatchObject({ weakness: undefined, form: shutIn, landlock });
  });

  it.each([
    ['by everything', shutIn],
    ['by namespaces without Landlock', { ...shutIn, landlock: false }],
    ['in a user namespace', { ...shutIn, userNamespace: true, ownUser: false }],
  ])('shut in %s finds what is its own and nothing else', async (_how, form) => {
    const said = await probe(form);
    expect(new Set(succeeded(said))).toEqual(
      // It may signal itself; process 1 of its namespace is nobody else.
      new Set([...own, 'signal init', ...(form.landlock ? [] : ['link', `write ${join(sockets, 'new')}`])]),
    );
    expect(said).toMatchObject({ pid: '1', interfaces: 'ERR_SYSTEM_ERROR', environment: 'HOME,LANG,PATH' });
    expect(said).toMatchObject({ [`read ${secret}`]: 'ENOENT', 'read /proc/1/environ': 'ENOENT', tcp: 'EPERM' });
    if (form.ownUser) expect(Number(said['uid'])).toBeGreaterThan(1_900_000_000);
  });

  // A kernel without Landlock has nothing to show here.
  it.skipIf(landlock === 0)('shut in by Landlock alone finds no other file, no network and nobody', async () => {
    const said = await probe({ namespaces: false, userNamespace: false, ownUser: false, landlock: true });
    expect(new Set(succeeded(said))).toEqual(new Set(own));
    expect(said).toMatchObject({
      [`read ${secret}`]: 'EACCES',
      'read /etc/passwd': 'EACCES',
      tcp: 'EPERM',
      unix: 'EPERM',
    });
  });

  it('shut in by the filter of system calls alone reaches no network and nobody', async () => {
    const said = await probe({ namespaces: false, userNamespace: false, ownUser: false, landlock: false });
    expect(said).toMatchObject({
      tcp: 'EPERM',
      udp: 'EPERM',
      unix: 'EPERM',
      'signal test': 'EPERM',
      'signal all': 'EPERM',
    });
  });

  it('ends with what shuts it in, and is ended before that', async () => {
    const waits = 'setInterval(() => undefined, 1000)';
    const started = await start(shutIn, waits);
    const { pid } = started;
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1').split(' ');
    const [parent, ticks] = [Number(stat[3]), Number(stat[21])];
    const identity = { pid: pid ?? 0, start_ticks: ticks };
    expect(isRunning(identity)).toBe(true);
    process.kill(parent, 'SIGKILL');
    await started.ended;
    await until(() => !isRunning(identity));

    const other = await start(shutIn, waits);
    await other.kill();
    expect(existsSync(`/proc/${other.pid}`)).toBe(false);
  });

  it('gets layers that are made while it runs, by a name in a folder of its own', async () => {
    const started = await start(
      shutIn,
      `const fs = require('node:fs'); const timer = setInterval(() => {
        const path = ${JSON.stringify(join(newLayersFolder(disks, 'guest'), 'disk-2.qcow2'))};
        if (!fs.existsSync(path)) return;
        clearInterval(timer);
        fs.writeFileSync(path, 'written');
      }, 20)`,
    );
    const layer = join(disks, 'disk-2.qcow2');
    writeFileSync(`${layer}.draft`, '', { mode: 0o600 });
    // QEMU is told of it once it stands there.
    const shown = await showLayer(newLayersFolder(disks, 'guest'), `${layer}.draft`);
    expect(shown).toBe(join(newLayersFolder(disks, 'guest'), 'disk-2.qcow2.draft'));
    renameSync(shown, join(newLayersFolder(disks, 'guest'), 'disk-2.qcow2'));
    await started.ended;
    expect(readFileSync(`${layer}.draft`, 'utf8')).toBe('written');
    expect(readdirSync(disks)).not.toContain('new-gone');
  });
});

it('a disk that says it stands on a file of somebody else starts no guest', async () => {
  const disk = join(disks, 'changed.qcow2');
  writeFileSync(disk, standingOn('/etc/passwd'));
  await expect(planConfinement(confinement, planOn(disk))).rejects.toMatchObject({ code: 'state_damaged' });
});

// Only root hands files over.
it.runIf(isRoot)('files that take no other owner leave QEMU without a user of its own, which is told', async () => {
  const told: string[] = [];
  const onFailure = (why: string): void => void told.push(why);
  const readOnly = { ...planOn(mine.write), machine: { ...planOn(mine.write).machine, kernel: '/proc/1/environ' } };
  const planned = await planConfinement({ ...confinement, form: shutIn, onFailure }, readOnly);
  expect(planned?.spec).toMatchObject({ uid: 0 });
  expect(told).toEqual([expect.stringContaining('no user of its own: ')]);
});
