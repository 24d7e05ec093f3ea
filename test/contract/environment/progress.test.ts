// What a person sees while an environment comes: plain words, bytes and percent; and what is left when they change their mind.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { folderForAll } from '../../support/own-folder.ts';
import { pyro } from '../../support/pyro.ts';
import { pushImage, registryMissing, startRegistry, type TestRegistry } from '../../support/registry.ts';
import { atTerminal } from '../../support/terminal.ts';

const executable = join(new URL('../../..', import.meta.url).pathname, 'bin', 'pyro');
let home: string;
folderForAll('pyro-progress-', (folder) => {
  home = folder;
  // The users of a build's namespace pass through here.
  chmodSync(home, 0o755);
});

describe.skipIf(registryMissing !== undefined)(
  `the progress of a pull${registryMissing === undefined ? '' : ` (skipped: ${registryMissing})`}`,
  () => {
    let registry: TestRegistry;
    beforeAll(async () => {
      registry = await startRegistry();
      await pushImage(registry.host, 'image', [
        { entries: [{ name: 'noise', data: randomBytes(3_000_000) }] },
        { entries: [{ name: 'more', data: randomBytes(1_000_000) }] },
      ]);
    });
    afterAll(async () => await registry?.stop());

    it('is a line for each phase on a pipe', async () => {
      const name = `${registry.host}/image`;
      const { stderr } = await pyro(['env', 'pull', name], { env: { PYRO_HOME: join(home, 'pipe') } });
      expect(stderr.split('\n')).toEqual([
        `[manifest] asking ${registry.host} for ${name}:latest`,
        '[download] downloading 2 layers',
        '[image] reading layer 1 of 2',
        '[image] reading layer 2 of 2',
        '[image] packing the image',
        '',
      ]);
    });

    it('is nothing with --quiet, and lines without orders to the terminal with NO_COLOR', async () => {
      const pull = `${executable} env pull ${registry.host}/image`;
      const quiet = await pyro(['env', 'pull', '--quiet', `${registry.host}/image`], {
        env: { PYRO_HOME: join(home, 'quiet') },
      });
      expect(quiet).toMatchObject({ exitCode: 0, stderr: '' });
      expect(quiet.stdout.toString('utf8')).toBe(`${registry.host}/image\n`);
      const { shown } = atTerminal(pull, '', { NO_COLOR: '1', PYRO_HOME: join(home, 'plain') });
      expect(shown).toContain('[download] downloading 2 layers\r\n');
      expect(shown).not.toContain('\u001b');
    });

    it('is one line with bytes and percent on a terminal', () => {
      const env = { PYRO_HOME: join(home, 'terminal') };
      const shown = atTerminal(`${executable} env pull ${registry.host}/image`, '', env)
        .shown.split('\r\u001b[J')
        .map((line) => line.replaceAll('\u001b[?7l', '').replaceAll('\u001b[?7h\r', '').trimEnd());
      expect(shown).toContainEqual(
        expect.stringMatching(/^downloading 2 layers: [\d.]+ (?:[KM]i)?B of 3\.8 MiB \(\d+ %\)$/),
      );
      expect(shown.at(-1)).toMatch(/^127\.0\.0\.1:\d+\/image: pulled, /);
    });
  },
);

/** Starts a build from packages and interrupts its whole process group, as a terminal does, at the line that fits. */
async function interruptAt(line: RegExp): Promise<{ exitCode: number | null; stderr: string }> {
  const args = ['env', 'pull', 'debian:12-base', '--source', 'packages'];
  const env = { ...process.env, PYRO_HOME: join(home, 'build'), TMPDIR: home };
  const child = spawn(executable, args, { env, detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    const before = line.test(stderr);
    stderr += chunk.toString('utf8');
    if (!before && line.test(stderr) && child.pid !== undefined) process.kill(-child.pid, 'SIGINT');
  });
  const exitCode = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { exitCode, stderr };
}

function processesIn(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const text = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
        return text.includes(folder) ? [text.replaceAll('\0', ' ')] : [];
      } catch {
        // Ended while we looked.
        return [];
      }
    });
}

describe('Ctrl-C in the middle of a build from Debian packages', () => {
  it.each([/reading the package lists/, /unpacking the base system/])(
    'leaves no process, mount or file (at %s)',
    async (line) => {
      const { exitCode, stderr } = await interruptAt(line);
      // Without a network a build ends by itself, before or just as it is interrupted; it leaves as little.
      if (line.test(stderr) && !/could not build/.test(stderr)) expect(exitCode).toBe(130);
      else expect(exitCode).toBe(1);
      expect(stderr).not.toMatch(/tempdir|mmdebstrap\./);
      expect(processesIn(home)).toEqual([]);
      expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(home);
      expect(readdirSync(home).filter((name) => name.startsWith('pyro-packages-'))).toEqual([]);
      const files = readdirSync(join(home, 'build', 'cache'), { recursive: true }).map(String);
      expect(files.filter((name) => /partial|packages|\.squashfs|^locks\/./.test(name))).toEqual([]);
    },
    300_000,
  );
});
