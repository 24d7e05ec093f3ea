// Images that bring next to nothing: one static binary, or busybox and no bash.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pyro } from '../support/pyro.ts';
import { pushImage, registryMissing, startRegistry, type TestRegistry } from '../support/registry.ts';

const busybox = '/bin/busybox';
const missing = registryMissing ?? (existsSync(busybox) ? undefined : 'busybox-static is not installed');
let registry: TestRegistry;
let home: string;

describe.skipIf(missing !== undefined)(`small images${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  beforeAll(async () => {
    registry = await startRegistry();
    home = mkdtempSync(join(tmpdir(), 'pyro-home-'));
  });
  afterAll(async () => {
    await registry?.stop();
    rmSync(home, { recursive: true, force: true });
  });
  const run = async (...args: string[]) => await pyro(['run', ...args], { env: { PYRO_HOME: home } });

  it('runs the one static binary of an image that has nothing else', async () => {
    await pushImage(registry.host, 'static', [
      { entries: [{ name: 'echo', mode: 0o755, data: readFileSync(busybox) }] },
    ]);
    const { exitCode, stdout } = await run(`${registry.host}/static`, '--', '/echo', 'alone');
    expect({ exitCode, text: stdout.toString('utf8') }).toEqual({ exitCode: 0, text: 'alone\n' });
  });

  it("runs busybox with the image's environment, folder and user, all of which can be overridden", async () => {
    const links = ['sh', 'id', 'pwd', 'cat', 'printenv', 'true', 'ls'].map((name) => ({
      name: `bin/${name}`,
      type: 'symlink' as const,
      linkname: 'busybox',
    }));
    await pushImage(
      registry.host,
      'busybox',
      [
        {
          entries: [
            { name: 'bin/', type: 'directory' },
            { name: 'bin/busybox', mode: 0o755, data: readFileSync(busybox) },
            ...links,
            { name: 'etc/passwd', data: 'root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n' },
            { name: 'etc/group', data: 'root:x:0:\napp:x:1000:\nextra:x:1001:app\n' },
            { name: 'srv/', type: 'directory' },
          ],
        },
      ],
      { Env: ['PATH=/bin', 'COLOUR=green'], WorkingDir: '/srv', User: 'app' },
    );
    const own = await run(`${registry.host}/busybox`, '--', 'sh', '-c', 'id -u; id -G; pwd; echo $COLOUR $HOME');
    expect(own.stdout.toString('utf8')).toBe('1000\n1000 1001\n/srv\ngreen /home/app\n');
    const other = await run(
      `${registry.host}/busybox`,
      '--user',
      '0',
      '--cwd',
      '/',
      '--env',
      'COLOUR=red',
      '--',
      'sh',
      '-c',
      'id -u; pwd; echo $COLOUR',
    );
    expect(other.stdout.toString('utf8')).toBe('0\n/\nred\n');
  });

  it('says so when an image has no shell', async () => {
    const { exitCode, stderr } = await run(`${registry.host}/static`, '--', 'bash');
    expect(exitCode).toBe(127);
    expect(stderr).toContain('command not found in the guest: bash');
  });
});
