// How a program failed, as an error: not there, not started, ended with a failure.
import { existsSync } from 'node:fs';
import { messageOf, PyroError, systemCodeOf } from '../shared/errors.ts';
import { describeEnding, type Ending } from './last-words.ts';

/** Debian package of each program, for the hint. */
const packages: Readonly<Record<string, string>> = {
  'qemu-system-x86_64': 'qemu-system-x86',
  'qemu-img': 'qemu-utils',
  mke2fs: 'e2fsprogs',
  sqfstar: 'squashfs-tools',
  mmdebstrap: 'mmdebstrap',
  'apt-get': 'apt',
  git: 'git',
  tar: 'tar',
  xz: 'xz-utils',
  flock: 'util-linux',
};

/** The failure of a program, as `shown` names it. */
export function failureOf(file: string, shown: string, ending: Ending): PyroError {
  const { details } = about(file);
  return new PyroError(hostFaultOf(ending) ?? 'tool_failed', describeEnding(shown, ending), {
    details: { ...details, exit_code: ending.exitCode },
  });
}

/** What this machine did to a program that failed, where that is known. */
export function hostFaultOf({ stderr, signal }: Ending): 'disk_full' | 'disk_failed' | 'file_size_limited' | undefined {
  if (signal === 'SIGXFSZ' || stderr.includes('File too large')) return 'file_size_limited';
  if (/No space left on device|Disk quota exceeded/.test(stderr)) return 'disk_full';
  return stderr.includes('Input/output error') ? 'disk_failed' : undefined;
}

/** The system has one word for a program and for a folder that is not there. */
export function notStarted(file: string, cwd: string | undefined, cause: Error): PyroError {
  const isFolderThere = cwd === undefined || existsSync(cwd);
  if (systemCodeOf(cause) !== 'ENOENT' || !isFolderThere) {
    const reason = isFolderThere ? messageOf(cause) : `the folder ${cwd} is not there`;
    return new PyroError('tool_failed', `${file} could not be started: ${reason}`, about(file));
  }
  const name = packages[file];
  return new PyroError('tool_missing', `${file} is not installed`, {
    hint: name === undefined ? 'run pyro doctor' : `install it, on Debian or Ubuntu with: sudo apt-get install ${name}`,
    ...about(file),
  });
}

export function about(file: string): { readonly details: { readonly program: string } } {
  return { details: { program: file } };
}
