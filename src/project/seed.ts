// Lists what goes in from a checkout, a folder of a checkout, a plain folder or a tar archive. Reads only.
import type { Stats } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { messageOf, PyroError } from '../shared/errors.ts';
import { below, type Checkout, collectCheckout, openNested, textPath } from './checkout.ts';
import { runGit, tryGit } from './git-command.ts';
import { openRepository } from './git-repository.ts';
import { type CollectedItem, ItemCollector } from './item-collector.ts';
import type { LeftOutCounts, SeedRequest, SeedSummary } from './project-types.ts';

export interface Seed {
  readonly mode: SeedSummary['mode'];
  /** Real path of the folder, or of the folder that holds the archive */
  readonly root: string;
  /** By path as latin1; for an archive the one file itself */
  readonly items: ReadonlyMap<string, CollectedItem>;
  /** The seed's own checkout first, then nested ones */
  readonly checkouts: readonly Checkout[];
  readonly leftOut: LeftOutCounts;
}

/** What would go in now. Throws `seed_missing`, `seed_unsupported` or `seed_invalid`. */
export async function readSeed(request: SeedRequest, signal: AbortSignal): Promise<Seed> {
  const { path, status } = await look(request.path);
  if (status.isFile()) {
    const collector = new ItemCollector(dirname(path), signal);
    await collector.add(Buffer.from(basename(path)).toString('latin1'), 'content');
    return finish('tar_archive', dirname(path), collector, []);
  }
  if (!status.isDirectory()) {
    throw new PyroError('seed_unsupported', `${request.path} is neither a folder nor a file`, {
      hint: 'give a checkout, a folder or a tar archive',
    });
  }
  const collector = new ItemCollector(path, signal);
  const repository = await openRepository(path, signal);
  if (repository?.top === path) {
    const checkouts = await collectCheckout(collector, repository, '', '.git', signal);
    await addIncludes(collector, request.includes);
    return finish('git', path, collector, checkouts);
  }
  const checkouts: Checkout[] = [];
  const takeNested = async (place: string): Promise<boolean> => {
    if (place === '') return false;
    const nested = await openNested(textPath(collector.absolute(place)), place, signal);
    if (nested === undefined) return false;
    checkouts.push(...(await collectCheckout(collector, nested, place, below(place, '.git'), signal)));
    return true;
  };
  if (repository === undefined || (await isIgnored(path, signal))) await collector.addTree('', 'stamp', takeNested);
  else await collectSubfolder(collector, path, takeNested, signal);
  await addIncludes(collector, request.includes);
  return finish('directory', path, collector, checkouts);
}

/** All of a folder, whatever Git thinks of it, but for what Git keeps for itself; or a file. Throws as {@link readSeed}. */
export async function readWhole(path: string, signal: AbortSignal): Promise<Seed> {
  const { path: real, status } = await look(path);
  if (!status.isDirectory()) return await readSeed({ path, includes: [] }, signal);
  const collector = new ItemCollector(real, signal);
  await collector.addTree('', 'stamp', async () => false);
  return finish('directory', real, collector, []);
}

async function look(path: string): Promise<{ path: string; status: Stats }> {
  try {
    const real = await realpath(path);
    return { path: real, status: await stat(real) };
  } catch (cause) {
    throw new PyroError('seed_missing', `cannot read ${path}: ${messageOf(cause)}`, {
      hint: 'give the absolute path of a checkout, a folder or a tar archive on this machine',
      cause,
    });
  }
}

function finish(mode: Seed['mode'], root: string, collector: ItemCollector, checkouts: readonly Checkout[]): Seed {
  return { mode, root, items: collector.items, checkouts, leftOut: collector.leftOut };
}

/** Someone who names an ignored folder means it. */
async function isIgnored(path: string, signal: AbortSignal): Promise<boolean> {
  return (await tryGit(path, ['check-ignore', '-q', '--', path], { signal })).exitCode === 0;
}

/** A folder inside a checkout: its files by the checkout's ignore rules, without history. */
async function collectSubfolder(
  collector: ItemCollector,
  folder: string,
  takeNested: (place: string) => Promise<boolean>,
  signal: AbortSignal,
): Promise<void> {
  const list = async (...args: string[]): Promise<string[]> => {
    const output = await runGit(folder, ['ls-files', '-z', '--exclude-standard', ...args], { signal });
    return output.toString('latin1').split('\0').filter(Boolean);
  };
  for (const listed of await list('--cached', '--others')) {
    const path = listed.replace(/\/$/, '');
    const item = await collector.add(path, 'stamp');
    // Only a nested repository or a submodule is listed as a folder.
    if (item?.type === 'directory') await takeNested(path);
  }
  collector.leftOut.ignored += (await list('--others', '--ignored', '--directory')).length;
}

/** An include that is not there is no error: `node_modules` comes and goes. */
async function addIncludes(collector: ItemCollector, includes: readonly string[]): Promise<void> {
  for (const include of includes) {
    const path = include.replace(/^(\.\/)+/, '').replace(/\/+$/, '');
    if (path === '' || path.startsWith('/')) {
      throw new PyroError(
        'seed_invalid',
        `an included path must be relative to the project: ${JSON.stringify(include)}`,
        {
          hint: 'for example: --include node_modules',
        },
      );
    }
    await collector.addTree(Buffer.from(path).toString('latin1'), 'stamp', async () => false);
  }
}
