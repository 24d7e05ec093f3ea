// doctor's checks with planted facts and programs: what a test cannot do to the machine itself.
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { examine } from '../../../../src/engine/host/doctor.ts';
import { type DoctorFacts, realFacts } from '../../../../src/engine/host/doctor-check.ts';
import { noConfinement } from '../../../../src/machine/confinement.ts';
import { noProgress } from '../../../../src/shared/progress.ts';
import { locatePaths } from '../../../../src/system/paths.ts';

const saved = { ...process.env };
let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'pyro-doctor-'));
  process.env['PYRO_HOME'] = home;
  process.env['PYRO_KVM_DEVICE'] = plant('kvm', '');
  process.env['PYRO_QEMU'] = plant(
    'qemu',
    '#!/bin/sh\n[ "$1" = --version ] && echo "QEMU emulator version 7.2.9" && exit\necho "cannot do that" >&2\nexit 1\n',
  );
  process.env['PYRO_GUEST_KIT'] = plantKit('one');
  delete process.env['PYRO_ACCELERATOR'];
});
afterEach(() => {
  rmSync(home, { recursive: true, force: true });
  process.env = { ...saved };
});

function plant(name: string, text: string): string {
  const path = join(home, name);
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return path;
}

/** A kit that passes for one; no guest is started from it. */
function plantKit(digest: string): string {
  const folder = join(home, `kit-${digest}`);
  mkdirSync(folder);
  for (const name of ['vmlinuz', 'initramfs.img']) writeFileSync(join(folder, name), 'x');
  const record = { kernel_release: '6.1', kernel_package_version: '1', digest, kernel_bytes: 1, initramfs_bytes: 1 };
  writeFileSync(join(folder, 'kit.json'), JSON.stringify({ ...record, agent_version: '1' }));
  return folder;
}

/** An environment in the cache whose image has these bytes. */
function plantEnvironment(image: string, recorded = image): string {
  const sha256 = createHash('sha256').update(recorded).digest('hex');
  const folder = join(home, 'cache', 'environments', sha256);
  const digest = `sha256:${sha256}`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'root.squashfs'), image);
  const config = { env: [], working_dir: '', user: '', entrypoint: [], cmd: [] };
  const record = { version: 1, name: 'debian:12', reference: 'x', source: 'registry', digest, config };
  const more = { image_bytes: image.length, image_sha256: sha256, created_at: '', layers: 1, packages: [] };
  writeFileSync(join(folder, 'environment.json'), JSON.stringify({ ...record, ...more }));
  const name = createHash('sha256').update('debian:12').digest('hex');
  mkdirSync(join(home, 'cache', 'refs'));
  writeFileSync(join(home, 'cache', 'refs', `${name}.json`), JSON.stringify({ name: 'debian:12', digest }));
  return digest;
}

async function look(name: string, change: Partial<DoctorFacts> = {}) {
  const facts: DoctorFacts = {
    platform: 'linux',
    architecture: 'x64',
    kernel: '6.1',
    freeBytes: async () => 2 ** 40,
    inspectCpu: async () => ({ model: 'x', hasVirtualization: true, tscKhz: 2_000_000 }),
    openDevice: async () => undefined,
    limitObstacle: async () => undefined,
    inspectConfinement: async () => noConfinement('a test'),
    ...change,
  };
  const context = { signal: AbortSignal.timeout(60_000), onProgress: noProgress };
  const checks = await examine(locatePaths(), 'debian:12', context, facts);
  return checks.find((check) => check.name === name);
}

function failing(code: string): () => Promise<never> {
  return async () => {
    throw Object.assign(new Error(code), { code });
  };
}

const cpu = (hasVirtualization: boolean) => async () => ({ model: 'x', hasVirtualization, tscKhz: 2_000_000 });

describe('doctor', () => {
  it('says how far QEMU is shut in, and what would shut it in further', async () => {
    const form = { namespaces: true, userNamespace: false, ownUser: true, landlock: true };
    const full = { ...noConfinement(''), form, landlock: 7, weakness: undefined };
    expect(await look('confinement', { inspectConfinement: async () => full })).toMatchObject({
      status: 'ok',
      message: expect.stringContaining('a user of its own, its own files, network and processes, Landlock 7'),
    });
    const little = {
      ...full,
      form: { ...form, namespaces: false, ownUser: false },
      weakness: 'no namespaces of its own',
    };
    expect(await look('confinement', { inspectConfinement: async () => little })).toMatchObject({
      status: 'warn',
      message: expect.stringMatching(/^QEMU has Landlock 7, .*; missing: no namespaces of its own$/),
      fix: expect.stringContaining('sysctl'),
    });
    expect(await look('confinement')).toMatchObject({ status: 'warn', message: expect.stringContaining('a test') });
    const broken = { inspectConfinement: failing('EIO') };
    expect(await look('confinement', broken)).toMatchObject({ status: 'warn', fix: 'mend the failures above first' });
  });

  it('tries again what keeps QEMU from being shut in, and takes off for an answer', async () => {
    process.env['PYRO_CONFINEMENT'] = 'off';
    const inspected = { inspectConfinement: realFacts.inspectConfinement };
    expect(await look('confinement', inspected)).toMatchObject({
      status: 'warn',
      message: expect.stringContaining('missing: PYRO_CONFINEMENT=off'),
      fix: expect.stringContaining('unset PYRO_CONFINEMENT'),
    });
    delete process.env['PYRO_CONFINEMENT'];
    expect(await look('confinement', inspected)).toMatchObject({
      status: 'warn',
      message: expect.stringContaining('the guest kit has no'),
      fix: expect.stringContaining('make guest'),
    });
  });

  it.each([
    ['a full disk', { freeBytes: async () => 1024 }, 'disk-space', /1\.0 KiB free/, /pyro env prune/],
    ['another architecture', { architecture: 'arm64' }, 'platform', /arm64/, /x86_64/],
    ['another system', { platform: 'darwin' }, 'platform', /darwin/, /Linux/],
  ])('fails on %s', async (_name, change, check, message, fix) => {
    expect(await look(check, change)).toMatchObject({
      status: 'fail',
      message: expect.stringMatching(message),
      fix: expect.stringMatching(fix),
    });
  });

  it.each([
    ['is not there', { openDevice: failing('ENOENT') }, /^tcg: there is no/, /modprobe/],
    ['may not be opened', { openDevice: failing('EACCES') }, /^tcg: .*may not be opened by this user/, /usermod -aG/],
    ['a container forbids', { openDevice: failing('EPERM') }, /^tcg: .*may not be opened by this user/, /usermod -aG/],
    ['has no hardware behind it', { openDevice: failing('ENXIO') }, /^tcg: .*does not open/, /nested/],
    ['belongs to a processor without it', { inspectCpu: cpu(false) }, /neither vmx nor svm/, /nested/],
    ['opens but boots no guest', {}, /^tcg: KVM does not run a guest here/, /nested/],
  ])('warns about a KVM device that %s', async (_name, change, message, fix) => {
    expect(await look('accelerator', change)).toMatchObject({
      status: 'warn',
      message: expect.stringMatching(message),
      fix: expect.stringMatching(fix),
    });
  });

  it('remembers for the next time that a guest did not boot on KVM', async () => {
    await look('accelerator');
    const started = performance.now();
    expect(await look('accelerator')).toMatchObject({ message: expect.stringContaining('KVM does not run a guest') });
    expect(performance.now() - started).toBeLessThan(1000);
  });

  it.each([
    ['4.4', 'fail', /4\.4 at .* is too old/],
    ['4.5.1', 'ok', /^4\.5\.1 at /],
    ['nonsense', 'fail', /does not report its version/],
  ])('judges sqfstar %s', async (version, status, message) => {
    plant('sqfstar', `#!/bin/sh\necho "sqfstar version ${version}"\n`);
    process.env['PATH'] = `${home}:${saved['PATH']}`;
    expect(await look('sqfstar')).toMatchObject({ status, message: expect.stringMatching(message) });
  });

  it.each(['qemu-img', 'mke2fs', 'sqfstar', 'git'])('says how to get %s when it is missing', async (program) => {
    process.env['PATH'] = home;
    expect(await look(program)).toMatchObject({ status: 'fail', fix: expect.stringContaining('apt-get install') });
  });

  it('warns when the host cannot limit a guest', async () => {
    expect(await look('cgroup-limits', { limitObstacle: async () => 'nothing is mounted' })).toMatchObject({
      status: 'warn',
      message: expect.stringContaining('nothing is mounted'),
      fix: expect.stringContaining('systemd-run --user'),
    });
    expect(await look('cgroup-limits')).toMatchObject({ status: 'ok' });
  });

  it('tells cold and stale environments apart', async () => {
    const environment = 'environment debian:12';
    const emulation = { inspectCpu: cpu(false) };
    expect(await look(environment, emulation)).toMatchObject({ status: 'warn', message: 'cold: not pulled yet' });
    const digest = plantEnvironment('image');
    expect(await look(environment, emulation)).toMatchObject({ message: expect.stringMatching(/^cold: pulled/) });
    plantTemplate('0'.repeat(32), digest);
    expect(await look(environment, emulation)).toMatchObject({
      status: 'warn',
      message: expect.stringMatching(/^stale/),
      fix: 'pyro prepare debian:12',
    });
  });

  it('fails with an environment whose image has changed on the disk', async () => {
    plantEnvironment('imagX', 'image');
    expect(await look('environment debian:12')).toMatchObject({
      status: 'fail',
      message: expect.stringContaining('is not the one that was made'),
      fix: 'pyro env pull debian:12',
    });
  });
});

function plantTemplate(key: string, digest: string): void {
  const folder = join(home, 'cache', 'templates', key);
  mkdirSync(folder, { recursive: true });
  const record = { version: 1, key, magic: '0'.repeat(32), environment_digest: digest, created_at: '', build_ms: 1 };
  writeFileSync(join(folder, 'template.json'), JSON.stringify(record));
}
