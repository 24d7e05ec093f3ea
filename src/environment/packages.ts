// Environments from Debian packages, through the machine's own apt sources: the way that needs no registry.

import { chmod, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isPyroError, messageOf, PyroError } from '../shared/errors.ts';
import type { OnProgress } from '../shared/progress.ts';
import { runCommand, tryCommand } from '../system/command.ts';
import { temporaryName } from '../system/files.ts';
import { makeFolder } from '../system/folders.ts';
import { makeTemporaryFolder } from '../system/temporary-folders.ts';
import { findAptSources } from './apt-sources.ts';
import { type CatalogueEntry, packageSuite, packagesReference } from './catalogue.ts';
import { squashLayers } from './squash.ts';
import { addEnvironment, type Environment, environmentsFolder, type Store } from './store.ts';

/** mmdebstrap's own words for its steps, and ours; the lines that are not here name temporary folders and the like. */
const steps: readonly (readonly [RegExp, string])[] = [
  [/^running apt-get update/, 'reading the package lists'],
  [/^downloading packages with apt/, 'downloading the base system'],
  [/^extracting archives/, 'unpacking the base system'],
  [/^installing essential packages/, 'setting up the base system'],
  [/^installing remaining packages/, 'downloading and installing the other packages'],
  [/^cleaning package lists/, 'removing what only the build needed'],
  [/^creating tarball/, 'collecting the files'],
];

const usualPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Builds a catalogue environment. Throws `environment_build_failed` or `tool_missing`. */
export async function buildFromPackages(
  store: Store,
  entry: CatalogueEntry & { readonly packages: readonly string[] },
  signal: AbortSignal,
  onProgress: OnProgress,
): Promise<Environment> {
  const sources = await findAptSources(packageSuite, signal);
  const folder = environmentsFolder(store);
  await makeFolder(folder);
  const tar = temporaryName(join(folder, 'packages.tar'));
  const image = temporaryName(join(folder, 'packages.squashfs'));
  try {
    onProgress({ phase: 'packages', message: `building ${entry.name} from Debian packages (half a minute or more)` });
    await bootstrap({ packages: entry.packages, finish: entry.finish ?? [], sources, tar, signal, onProgress });
    const onPacked = (doneBytes: number, totalBytes: number): void =>
      onProgress({ phase: 'image', message: 'packing the image', doneBytes, totalBytes });
    await squashLayers({ layers: [tar], diffIds: undefined, image, signal, onPacked });
    const fields = {
      version: 1 as const,
      name: entry.name,
      reference: packagesReference,
      source: 'packages' as const,
      created_at: new Date().toISOString(),
      config: {
        env: [`PATH=${usualPath}`, ...(entry.env ?? [])],
        working_dir: '/',
        user: '',
        entrypoint: [],
        cmd: ['bash'],
      },
      layers: 1,
      packages: [...entry.packages],
    };
    return await addEnvironment(store, fields, image);
  } finally {
    await rm(tar, { force: true });
    await rm(image, { force: true });
  }
}

interface Bootstrap {
  readonly packages: readonly string[];
  readonly finish: readonly string[];
  readonly sources: readonly string[];
  readonly tar: string;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
}

async function bootstrap({ packages, finish, sources, tar, signal, onProgress }: Bootstrap): Promise<void> {
  const args = [
    '--variant=minbase',
    '--format=tar',
    '--dpkgopt=path-exclude=/usr/share/man/*',
    '--dpkgopt=path-exclude=/usr/share/doc/*',
    '--dpkgopt=path-include=/usr/share/doc/*/copyright',
    // Copies of this machine's own files; a guest gets its own.
    '--customize-hook=rm -f "$1/etc/resolv.conf" "$1/etc/hostname"',
  ];
  for (const line of finish) args.push(`--customize-hook=${line}`);
  if (packages.length > 0) args.push(`--include=${packages.join(',')}`);
  // The user of the namespace must be able to pass through here.
  const work = await makeTemporaryFolder('packages');
  await chmod(work, 0o755);
  try {
    // In namespaces of its own nothing stays mounted, and nothing runs, when the build is ended half-way.
    await runCommand('mmdebstrap', ['--mode=unshare', ...args, packageSuite, tar, ...sources], {
      signal,
      // Asked to end, it would tidy up for many seconds.
      endsAtOnce: true,
      env: { TMPDIR: work },
      onStderr: byLine((line) => {
        const words = line.startsWith('I: ') ? line.slice(3) : '';
        const index = steps.findIndex(([pattern]) => pattern.test(words));
        const message = steps[index]?.[1];
        if (message === undefined) return;
        onProgress({ phase: 'packages', message: `${message} (step ${index + 1} of ${steps.length})` });
      }),
    });
  } catch (error) {
    signal.throwIfAborted();
    if (isPyroError(error, 'tool_missing')) throw error;
    const isFull = /No space left on device/.test(messageOf(error));
    throw new PyroError(
      isFull ? 'disk_full' : 'environment_build_failed',
      `mmdebstrap could not build the environment: ${messageOf(error)}`,
      {
        hint: isFull
          ? 'free some space, for example with: pyro env prune'
          : 'check that apt works (sudo apt-get update) and that user namespaces are allowed (pyro doctor)',
        cause: error,
      },
    );
  } finally {
    await removeWork(work);
  }
}

/** A build that was ended half-way leaves files of the namespace's users, which only the namespace may remove. */
async function removeWork(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true }).catch(async () => {
    const args = ['--unshare-helper', 'find', folder, '-mindepth', '1', '-delete'];
    await tryCommand('mmdebstrap', args, { timeoutMs: 60_000 }).catch(() => undefined);
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  });
}

function byLine(onLine: (line: string) => void): (text: string) => void {
  let rest = '';
  return (text) => {
    const lines = (rest + text).split('\n');
    rest = (lines.pop() ?? '').slice(-10_000);
    for (const line of lines) onLine(line);
  };
}
