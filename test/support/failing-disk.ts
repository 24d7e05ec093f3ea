// A disk of its own below one workspace, whose quota is used up or that fails by order: a file behind a loop device, for root alone.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type DiskFault = 'quota' | 'error';
const sizeMib = 2048;
/** Room that a quota leaves, `MiB` */
const leftMib = 48;

/** Why there can be no such disk here; undefined where there can. */
export function diskObstacle(fault: DiskFault): string | undefined {
  if (process.getuid?.() !== 0) return 'only root mounts a disk';
  const needed = ['losetup', 'perl', fault === 'quota' ? 'mkfs.btrfs' : 'mkfs.ext4'];
  const missing = needed.find((name) => !succeeds('command', ['-v', name]));
  if (missing !== undefined) return `there is no ${missing}`;
  return succeeds('losetup', ['--find']) ? undefined : 'there is no free loop device';
}

function succeeds(program: string, args: readonly string[]): boolean {
  try {
    execFileSync('sh', ['-c', '"$@"', 'sh', program, ...args], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function run(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}

/** Shows so much of the file as the device; what is written beyond fails with EIO, and all is there again with 0. */
const limitScript = `open(my $device, "+<", $ARGV[0]) or die $!; my $status = "\\0" x 232;
ioctl($device, 0x4C05, $status) or die $!; substr($status, 32, 8) = pack("Q", $ARGV[1]);
ioctl($device, 0x4C04, $status) or die $!;`;

export class FailingDisk implements Disposable {
  readonly #fault: DiskFault;
  readonly #folder = mkdtempSync(join(tmpdir(), 'pyro-disk-'));
  readonly #device: string;
  readonly #place: string;

  /** Takes the place of the folder, with all that is in it. */
  constructor(fault: DiskFault, folder: string) {
    this.#fault = fault;
    this.#place = folder;
    const image = join(this.#folder, 'image');
    run('truncate', '-s', `${sizeMib}M`, image);
    this.#device = run('losetup', '--find', '--show', image);
    try {
      // Without a journal no error of its own ends the file system.
      if (fault === 'quota') run('mkfs.btrfs', '-q', this.#device);
      else run('mkfs.ext4', '-q', '-O', '^has_journal', this.#device);
      const first = join(this.#folder, 'first');
      run('mkdir', first);
      run('mount', ...(fault === 'quota' ? [] : ['-o', 'errors=continue']), this.#device, first);
      run('cp', '-a', `${folder}/.`, first);
      if (fault === 'quota') run('btrfs', 'quota', 'enable', first);
      run('sync', '-f', first);
      run('mount', '--move', first, folder);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** From now on writes to new room of it fail. */
  fail(): void {
    run('sync', '-f', this.#place);
    if (this.#fault === 'error') this.#limit(this.#usedBytes());
    else run('btrfs', 'qgroup', 'limit', `${this.#usedBytes() + leftMib * 2 ** 20}`, '0/5', this.#place);
  }

  mend(): void {
    if (this.#fault === 'error') this.#limit(0);
    else run('btrfs', 'qgroup', 'limit', 'none', '0/5', this.#place);
  }

  #limit(bytes: number): void {
    run('perl', '-e', limitScript, this.#device, String(bytes));
  }

  /** End of what lies on it, for a disk that fails behind that; what counts to the quota otherwise. */
  #usedBytes(): number {
    if (this.#fault === 'error') return failsFromBytes;
    const shown = run('btrfs', 'qgroup', 'show', '--raw', this.#place);
    return Number(/^0\/5\s+(\d+)/m.exec(shown)?.[1]);
  }

  [Symbol.dispose](): void {
    // Whatever of it is there: it may not even be mounted.
    for (const undo of [
      () => this.mend(),
      () => run('umount', '--lazy', this.#place),
      () => run('umount', '--lazy', join(this.#folder, 'first')),
      () => run('losetup', '--detach', this.#device),
    ]) {
      try {
        undo();
      } catch {
        // It was not.
      }
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** What a workspace holds when it is new takes less, `bytes` */
const failsFromBytes = 300 * 2 ** 20;
