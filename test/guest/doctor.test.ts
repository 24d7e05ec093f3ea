// doctor with each prerequisite broken in turn: it names the fault, the mending, and ends with 1 where guests cannot run.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { pyro } from '../support/pyro.ts';

const executable = join(new URL('../..', import.meta.url).pathname, 'bin', 'pyro');
const home = mkdtempSync(join(tmpdir(), 'pyro-doctor-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const reportSchema = z.object({
  ready: z.boolean(),
  checks: z.array(z.object({ name: z.string(), status: z.string(), message: z.string(), fix: z.string().nullable() })),
});

async function doctor(env: Readonly<Record<string, string>>) {
  const { exitCode, stdout } = await pyro(['doctor', '--json'], { env: { PYRO_HOME: home, ...env } });
  return { exitCode, ...reportSchema.parse(JSON.parse(stdout.toString('utf8'))) };
}

function find(report: z.infer<typeof reportSchema>, name: string) {
  return report.checks.find((check) => check.name === name);
}

function fakeQemu(version: string): string {
  const path = join(home, `qemu-${version}`);
  writeFileSync(path, `#!/bin/sh\necho "QEMU emulator version ${version}"\n`);
  chmodSync(path, 0o755);
  return path;
}

describe('pyro doctor', () => {
  it('finds this machine ready', async () => {
    expect(await doctor({})).toMatchObject({ exitCode: 0, ready: true });
  });

  it('calls an environment warm that has been used', async () => {
    await pyro(['run', 'debian:12', '--', 'true']);
    const { stdout } = await pyro(['doctor', '--json']);
    const report = { ...reportSchema.parse(JSON.parse(stdout.toString('utf8'))) };
    expect(report.checks.find(({ name }) => name === 'environment debian:12')).toMatchObject({
      status: 'ok',
      message: expect.stringMatching(/^warm, from (packages|registry), sha256:/),
    });
  });

  it.each([
    ['no QEMU', { PYRO_QEMU: '/nonexistent' }, 'qemu', /not installed/, /apt-get install qemu/],
    ['no guest kit', { PYRO_GUEST_KIT: '/nonexistent' }, 'guest-kit', /missing/, /make guest/],
    ['a home that cannot be written', { PYRO_HOME: '/proc/nowhere' }, 'cache-folder', /cannot be written/, /PYRO_HOME/],
  ])('fails with %s', async (_name, env, check, message, fix) => {
    const report = await doctor(env);
    expect(report).toMatchObject({ exitCode: 1, ready: false });
    expect(find(report, check)).toMatchObject({
      status: 'fail',
      message: expect.stringMatching(message),
      fix: expect.stringMatching(fix),
    });
  });

  it('fails with a QEMU that is too old', async () => {
    const report = await doctor({ PYRO_QEMU: fakeQemu('6.2.0') });
    expect(find(report, 'qemu')).toMatchObject({
      status: 'fail',
      message: expect.stringContaining('6.2.0 is too old'),
    });
  });

  it('warns without a KVM device and goes on with emulation', async () => {
    const report = await doctor({ PYRO_KVM_DEVICE: join(home, 'no-kvm') });
    expect(report.exitCode).toBe(0);
    expect(find(report, 'accelerator')).toMatchObject({
      status: 'warn',
      message: expect.stringContaining('there is no'),
    });
  });

  it('fails with a broken environment', async () => {
    const folder = join(home, 'cache', 'refs');
    mkdirSync(folder, { recursive: true });
    const { createHash } = await import('node:crypto');
    const name = `${createHash('sha256').update('debian:12').digest('hex')}.json`;
    writeFileSync(join(folder, name), JSON.stringify({ name: 'debian:12', digest: `sha256:${'1'.repeat(64)}` }));
    const report = await doctor({});
    expect(report.exitCode).toBe(1);
    expect(find(report, 'environment debian:12')).toMatchObject({ status: 'fail', fix: 'pyro env pull debian:12' });
    rmSync(join(folder, name));
    expect(readdirSync(folder)).toEqual([]);
  });

  it('fails on a disk that is really full', async (test) => {
    const script = 'mount -t tmpfs -o size=64m tmpfs "$0" && shift 0 && exec "$@"';
    const place = join(home, 'small');
    mkdirSync(place);
    const command = ['-rm', 'sh', '-c', script, place, executable, 'doctor', '--json'];
    const { status, stdout, stderr } = spawnSync('unshare', command, {
      encoding: 'utf8',
      env: { ...process.env, PYRO_HOME: place },
    });
    test.skip(stdout === '', `no mount in a namespace here: ${stderr.slice(0, 100)}`);
    const report = reportSchema.parse(JSON.parse(stdout));
    expect(status).toBe(1);
    expect(report.checks.find(({ name }) => name === 'disk-space')).toMatchObject({
      status: 'fail',
      message: expect.stringContaining('64.0 MiB free'),
      fix: expect.stringContaining('pyro env prune'),
    });
  });
});
