// Repositories and project images for tests: makes them, unpacks them, asks git the same questions on both sides.
import { execFileSync, spawnSync } from 'node:child_process';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { prepareProjectImage } from '../../src/project/project-image.ts';
import { openProjectStore } from '../../src/project/project-store.ts';
import type { ProjectImage } from '../../src/project/project-types.ts';
import { noProgress } from '../../src/shared/progress.ts';

/** Nothing of the machine's own Git settings may decide a test. */
export const gitEnvironment = {
  ...process.env,
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_AUTHOR_DATE: '2024-01-01T00:00:00Z',
  GIT_COMMITTER_DATE: '2024-01-01T00:00:00Z',
  LC_ALL: 'C',
};
const identity = ['-c', 'user.name=A U Thor', '-c', 'user.email=author@example.com', '-c', 'commit.gpgsign=false'];
const permissive = ['-c', 'protocol.file.allow=always', '-c', 'init.defaultBranch=main', '-c', 'tag.gpgsign=false'];

export function git(folder: string, ...args: string[]): Buffer {
  return execFileSync('git', [...identity, ...permissive, ...args], {
    cwd: folder,
    env: gitEnvironment,
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

export class Scratch {
  readonly root = mkdtempSync(join(tmpdir(), 'pyro-project-'));
  readonly store = openProjectStore(join(this.root, 'state'));
  #count = 0;

  folder(): string {
    return mkdtempSync(join(this.root, `f${this.#count++}-`));
  }

  repository(...args: string[]): string {
    const folder = this.folder();
    git(folder, 'init', '-q', ...args);
    return folder;
  }

  async prepare(path: string, includes: readonly string[] = []): Promise<ProjectImage> {
    const signal = AbortSignal.timeout(100_000);
    return await prepareProjectImage(this.store, { path, includes }, { signal, onProgress: noProgress });
  }

  /** The image of a path, unpacked; the image's Git directory is trusted because it is this user's. */
  async unpacked(path: string, includes: readonly string[] = []): Promise<{ image: ProjectImage; tree: string }> {
    const image = await this.prepare(path, includes);
    const tree = join(this.folder(), 'tree');
    const result = spawnSync('unsquashfs', ['-q', '-n', '-d', tree, image.path], { encoding: 'utf8' });
    expect(result.stderr).toBe('');
    return { image, tree };
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

const questions = [
  ['status', '--porcelain=v2', '-z', '--branch'],
  ['diff'],
  ['diff', '--cached'],
  ['ls-files', '--stage', '-z'],
  ['ls-files', '-v', '-z'],
] as const;

/** Git gives the same answers in the unpacked image as on the host. */
export function expectSameAnswers(host: string, guest: string): void {
  for (const question of questions) {
    expect(git(guest, ...question).toString('latin1'), question.join(' ')).toBe(
      git(host, ...question).toString('latin1'),
    );
  }
  const log = (folder: string) =>
    spawnSync('git', ['log', '--oneline', '-n', '20'], { cwd: folder, env: gitEnvironment });
  expect(log(guest).stdout.toString()).toBe(log(host).stdout.toString());
  // Every object that the index and the history name is there.
  const check = spawnSync('git', ['fsck', '--no-dangling', '--no-progress'], { cwd: guest, encoding: 'utf8' });
  expect(check.stderr.replace(/^notice: .*$/gm, '').trim()).toBe('');
}

/** Paths (latin1) with type, mode, time and content of a tree, `.git` left out. */
export function describeTree(root: string, isSkipped: (path: string) => boolean = () => false): Map<string, string> {
  const found = new Map<string, string>();
  const visit = (path: string): void => {
    const folder = Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path, 'latin1')]);
    for (const name of readdirSync(folder, { encoding: 'latin1' })) {
      const own = path === '' ? name : `${path}/${name}`;
      if (name === '.git' || isSkipped(own)) continue;
      const full = Buffer.concat([Buffer.from(`${root}/`), Buffer.from(own, 'latin1')]);
      const status = lstatSync(full);
      const mode = status.isSymbolicLink() ? '' : (status.mode & 0o7777).toString(8);
      const seconds = Math.floor(status.mtimeMs / 1000);
      if (status.isDirectory()) {
        found.set(own, `directory ${mode}`);
        visit(own);
      } else if (status.isSymbolicLink()) {
        found.set(own, `symlink ${readlinkSync(full, { encoding: 'latin1' })}`);
      } else if (status.isFile()) found.set(own, `file ${mode} ${seconds} ${readFileSync(full, 'latin1')}`);
    }
  };
  visit('');
  return found;
}
