// Environments from Debian packages, through the machine's own apt sources: the way that needs no registry.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { messageOf, PyroError } from '../shared/errors.ts';
import type { OnProgress } from '../shared/progress.ts';
import { runCommand, tryCommand } from '../system/command.ts';
import { temporaryName } from '../system/files.ts';
import { makeFolder } from '../system/folders.ts';
import type { CatalogueEntry } from './catalogue.ts';
import { addEnvironment, type Environment, type Store } from './store.ts';

const suite = 'bookworm';
const usualPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Builds a catalogue environment. Throws `environment_build_failed` or `tool_missing`. */
export async function buildFromPackages(
  store: Store,
  entry: CatalogueEntry & { readonly packages: readonly string[] },
  signal: AbortSignal,
  onProgress: OnProgress,
): Promise<Environment> {
  const sources = await aptSources(signal);
  const folder = join(store.root, 'environments');
  await makeFolder(folder);
  const tar = temporaryName(join(folder, 'packages.tar'));
  const image = temporaryName(join(folder, 'packages.squashfs'));
  try {
    onProgress({ phase: 'packages', message: `building ${entry.name} from Debian packages (half a minute or more)` });
    await bootstrap(entry.packages, sources, tar, signal, onProgress);
    onProgress({ phase: 'image', message: 'packing the image' });
    const { stderr } = await runCommand('sqfstar', ['-quiet', '-no-progress', '-comp', 'lz4', image], {
      signal,
      input: createReadStream(tar),
    });
    if (/FATAL/.test(stderr)) throw new PyroError('environment_build_failed', `sqfstar: ${stderr.trim()}`);
    const record = {
      version: 1 as const,
      name: entry.name,
      reference: `packages:${suite}`,
      source: 'packages' as const,
      digest: `sha256:${await hashFile(image)}`,
      image_bytes: (await stat(image)).size,
      created_at: new Date().toISOString(),
      config: { env: [`PATH=${usualPath}`], working_dir: '/', user: '', entrypoint: [], cmd: ['bash'] },
      layers: 1,
      packages: [...entry.packages],
    };
    return await addEnvironment(store, record, image);
  } finally {
    await rm(tar, { force: true });
    await rm(image, { force: true });
  }
}

async function bootstrap(
  packages: readonly string[],
  sources: readonly string[],
  tar: string,
  signal: AbortSignal,
  onProgress: OnProgress,
): Promise<void> {
  const args = [
    '--variant=minbase',
    '--format=tar',
    '--dpkgopt=path-exclude=/usr/share/man/*',
    '--dpkgopt=path-exclude=/usr/share/doc/*',
    '--dpkgopt=path-include=/usr/share/doc/*/copyright',
  ];
  if (packages.length > 0) args.push(`--include=${packages.join(',')}`);
  try {
    // In a namespace of its own nothing stays mounted when the build is ended half-way.
    await runCommand('mmdebstrap', ['--mode=unshare', ...args, suite, tar, ...sources], {
      signal,
      onStderr: (text) => {
        const line = /^I: (.+)$/m.exec(text)?.[1];
        if (line !== undefined) onProgress({ phase: 'packages', message: line });
      },
    });
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof PyroError && error.code === 'tool_missing') throw error;
    throw new PyroError('environment_build_failed', `mmdebstrap could not build the environment: ${messageOf(error)}`, {
      hint: 'check that apt works (sudo apt-get update) and that user namespaces are allowed',
      cause: error,
    });
  }
}

/** One-line sources of this suite, as apt itself reads its configuration. */
async function aptSources(signal: AbortSignal): Promise<string[]> {
  const { stdout, exitCode } = await tryCommand(
    'apt-get',
    ['indextargets', '--format', '$(CODENAME) $(REPO_URI) $(COMPONENT)', 'Created-By: Packages'],
    { signal, timeoutMs: 20_000 },
  );
  const wanted = new Set([suite, `${suite}-updates`, `${suite}-security`]);
  const sources = new Set<string>();
  for (const line of exitCode === 0 ? stdout.split('\n') : []) {
    const [codename, uri, component] = line.split(' ');
    if (codename !== undefined && uri !== undefined && wanted.has(codename) && component === 'main') {
      sources.add(`deb ${uri} ${codename} main`);
    }
  }
  if (![...sources].some((line) => line.includes(` ${suite} `))) {
    throw new PyroError('environment_build_failed', `apt on this machine has no source of Debian ${suite}`, {
      hint: 'build on Debian 12, or pull from a registry: pyro env pull debian:12 --source registry',
    });
  }
  return [...sources];
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
