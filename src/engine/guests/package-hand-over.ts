// Hands the settings of this machine's package managers to a guest: files in its memory, so that no disk holds them.

import type { GuestClient } from '../../agent/guest-client.ts';
import { createGuestFiles } from '../../agent/guest-files.ts';
import { type PackageSources, readPackageSources } from '../../network/package-sources.ts';
import { isPyroError } from '../../shared/errors.ts';
import type { PackageSourceKind } from '../../shared/policy-types.ts';

const releaseFile = '/etc/os-release';
const longestRelease = 16 * 1024;

export async function handPackageSources(
  client: GuestClient,
  kind: PackageSourceKind,
  signal: AbortSignal,
): Promise<PackageSources> {
  const files = createGuestFiles(client);
  const codename = await readCodename(client, signal);
  signal.throwIfAborted();
  const sources = await readPackageSources({ codename, hasCredentials: kind === 'host+credentials' });
  for (const { path, content } of sources.files) {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    // apt loads as a user of its own, and images have users: within one guest nothing is hidden from them.
    await files.write({ path, mode: 0o644 }, bytes, { signal });
  }
  return sources;
}

/** Name of the guest's Debian or Ubuntu release; undefined for anything else. */
async function readCodename(client: GuestClient, signal: AbortSignal): Promise<string | undefined> {
  try {
    const { bytes } = await createGuestFiles(client).read({ path: releaseFile, length: longestRelease }, { signal });
    return /^VERSION_CODENAME="?([a-z]{1,32})"?$/m.exec(bytes.toString('utf8'))?.[1];
  } catch (error) {
    // An image without that file has no apt either.
    if (!isPyroError(error) || isPyroError(error, 'guest_unreachable', 'cancelled')) throw error;
    return undefined;
  }
}
