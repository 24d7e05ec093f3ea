// Which shell an image wants: root's own, else the one it names, else one that nearly every image has.
import type { GuestClient } from '../../agent/guest-client.ts';
import { createGuestFiles } from '../../agent/guest-files.ts';
import type { GuestProcess } from '../../agent/guest-process.ts';
import type { StartRequest } from '../../agent/messages.ts';
import { isPyroError, PyroError } from '../../shared/errors.ts';

const mostPasswdBytes = 65_536;
const usualShells = ['/bin/bash', '/bin/sh'];
const refusals = ['command_not_found', 'command_not_executable'] as const;

export async function startLoginShell(
  client: GuestClient,
  request: Omit<StartRequest, 'argv'>,
  signal: AbortSignal,
): Promise<{ readonly process: GuestProcess; readonly program: string }> {
  const own = shellOfRoot(await readPasswd(client, signal));
  const named = request.env['SHELL'];
  for (const program of new Set([own, named, ...usualShells].filter((each) => each !== undefined && each !== ''))) {
    if (program === undefined) continue;
    try {
      const env = { ...request.env, SHELL: program };
      // No -l: the profile of many images would override the image's own PATH.
      return { process: await client.start({ ...request, argv: [program], env }, { signal }), program };
    } catch (error) {
      if (!isPyroError(error, ...refusals)) throw error;
    }
  }
  throw new PyroError('command_not_found', 'the environment has no shell', {
    hint: 'use an environment that has a shell',
  });
}

/** Shell of the first user with id 0; undefined for one that lets nobody in. */
export function shellOfRoot(passwd: string): string | undefined {
  for (const line of passwd.split('\n')) {
    const [, , uid, , , , shell] = line.split(':');
    if (uid !== '0' || shell === undefined) continue;
    const path = shell.trim();
    return path.startsWith('/') && !/\/(?:nologin|false|true|sync)$/.test(path) ? path : undefined;
  }
  return undefined;
}

async function readPasswd(client: GuestClient, signal: AbortSignal): Promise<string> {
  try {
    const slice = await createGuestFiles(client).read({ path: '/etc/passwd', length: mostPasswdBytes }, { signal });
    return slice.bytes.toString('utf8');
  } catch (error) {
    if (isPyroError(error, 'guest_unreachable') || !isPyroError(error)) throw error;
    // An image may have no such file.
    return '';
  }
}
