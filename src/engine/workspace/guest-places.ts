// Where things are in the guest of a workspace, and the variables that its processes begin with.
import { posix } from 'node:path';
import type { WorkspaceRecord } from '../../contract/records.ts';
import { PyroError } from '../../shared/errors.ts';

export const workspacePath = '/workspace';
const usualPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Absolute path in the guest; a relative one is under /workspace. */
export function guestPath(path: string): string {
  if (path.includes('\0')) throw new PyroError('usage', 'a path contains a zero byte');
  return posix.resolve(workspacePath, path);
}

/** The image's own variables, and what lets Git work in files that belong to another user. */
export function baseEnvironment(record: WorkspaceRecord): Record<string, string> {
  const env: Record<string, string> = { PATH: usualPath };
  for (const pair of record.image.env) {
    const at = pair.indexOf('=');
    if (at > 0) env[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return {
    // Git commits under this address where no setting names another; without any it refuses.
    EMAIL: 'pyro@localhost',
    ...env,
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'safe.directory',
    GIT_CONFIG_VALUE_0: '*',
  };
}
