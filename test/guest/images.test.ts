// Images that bring next to nothing: one static binary, or busybox and no bash.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
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
    await pushImage(registry.host, 'static', [
      { entries: [{ name: 'echo', mode: 0o755, data: readFileSync(busybox) }] },
    ]);
  });
  afterAll(async () => {
    await registry?.stop();
    rmSync(home, { recursive: true, force: true });
  });
  const run = async (...args: string[]) => await pyro(['run', ...args], { env: { PYRO_HOME: home } });

  it('runs the one static binary of an image that has nothing else', async () => {
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

  const applets = ['sh', 'id', 'pwd', 'cat', 'ls', 'stat', 'echo'].map((name) => ({
    name: `bin/${name}`,
    type: 'symlink' as const,
    linkname: 'busybox',
  }));
  const small = [
    { name: 'bin/', type: 'directory' as const },
    { name: 'bin/busybox', mode: 0o755, data: readFileSync(busybox) },
    ...applets,
    { name: 'etc/passwd', data: 'root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/:/bin/sh\n' },
  ];

  it('shows what a link at /workspace leads to, makes the working folder, and copes with files where folders belong', async () => {
    const image = `${registry.host}/links`;
    await pushImage(
      registry.host,
      'links',
      [
        {
          entries: [
            ...small,
            { name: 'srv/a,b:c/', type: 'directory' },
            { name: 'srv/a,b:c/of-image', data: 'content\n' },
            { name: 'workspace', type: 'symlink', linkname: '/../srv/a,b:c' },
            { name: 'tmp', data: 'a file' },
            { name: 'run', type: 'symlink', linkname: 'nowhere' },
            { name: 'proc', data: 'a file' },
          ],
        },
      ],
      { Env: ['PATH=/bin'], WorkingDir: 'made/deep', User: 'app' },
    );
    const script = 'pwd; stat -c "%u %a" . /workspace; id -u; cat /workspace/of-image; stat -c %F /workspace /tmp';
    const bare = await run(image, '--', 'sh', '-c', script);
    expect(bare.stdout.toString('utf8')).toBe('/made/deep\n0 755\n0 755\n1000\ncontent\ndirectory\ndirectory\n');
    const seed = mkdtempSync(join(tmpdir(), 'pyro-seed-'));
    try {
      writeFileSync(join(seed, 'of-seed'), 'seeded\n');
      const seeded = await run(
        image,
        '--seed-path',
        seed,
        '--',
        'sh',
        '-c',
        'pwd; ls /workspace; ls /srv/*; echo x >/workspace/y || echo refused',
      );
      expect(seeded.stdout.toString('utf8')).toBe('/workspace\nof-seed\nof-image\nrefused\n');
    } finally {
      rmSync(seed, { recursive: true, force: true });
    }
  });

  it('shows the content of /workspace with its owner, as no change, and its changes as changes', async () => {
    const image = `${registry.host}/content`;
    await pushImage(
      registry.host,
      'content',
      [
        {
          entries: [
            ...small,
            { name: 'workspace/', type: 'directory', uid: 1000, gid: 1000, mode: 0o750 },
            { name: 'workspace/kept', data: 'kept\n', uid: 1000 },
            { name: 'workspace/changed', data: 'old\n', uid: 1000 },
          ],
        },
      ],
      { Env: ['PATH=/bin'], WorkingDir: '/made' },
    );
    const env = { PYRO_HOME: home };
    const created = await pyro(['workspace', 'create', image, '--empty', '--json'], { env });
    const { workspace_id: id } = z
      .object({ workspace_id: z.string() })
      .parse(JSON.parse(created.stdout.toString('utf8')));
    try {
      const script = 'stat -c "%u %a" . && echo new >changed && cat kept';
      const { stdout } = await pyro(['workspace', 'exec', id, '--user', 'app', '--', script], { env });
      expect(stdout.toString('utf8')).toBe('1000 750\nkept\n');
      const made = await pyro(['workspace', 'exec', id, '--cwd', '/made', '--', 'pwd'], { env });
      expect(made.stdout.toString('utf8')).toBe('/made\n');
      const diff = (await pyro(['workspace', 'diff', id], { env })).stdout.toString('utf8');
      expect(diff).toMatch(/^-old\n\+new$/m);
      expect(diff).not.toContain('kept');
    } finally {
      await pyro(['workspace', 'delete', id, '--force'], { env });
      await pyro(['daemon', 'stop', '--force'], { env });
    }
  });

  it('says so when an image has no shell', async () => {
    const result = await run(`${registry.host}/static`, '--', 'bash');
    expect(result).toMatchObject({
      exitCode: 127,
      stderr: expect.stringContaining('command not found in the guest: bash'),
    });
  });
});
