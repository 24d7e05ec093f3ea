// One Git checkout on its way in: its state, its files, and the repositories nested in it.
import { existsSync } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { PyroError, systemCodeOf } from '../shared/errors.ts';
import { exists } from '../system/files.ts';
import { runGit } from './git-command.ts';
import { guestConfig, lastValue } from './git-config.ts';
import { type GitIndex, gitlinkMode, type IndexEntry, parseIndex } from './git-index.ts';
import { listRefs, openRepository, type Repository } from './git-repository.ts';
import { type GitStatus, parseStatus, statusArguments } from './git-status.ts';
import type { ItemCollector } from './item-collector.ts';
import { temporaryIndex } from './unfold-index.ts';

export interface Checkout {
  readonly repository: Repository;
  /** Place in the image, as latin1; empty for the seed's root */
  readonly place: string;
  /** Place of its git directory in the image, as latin1 */
  readonly gitPlace: string;
  readonly status: GitStatus;
  readonly index: GitIndex | undefined;
  readonly upstream: { readonly name: string; readonly commit: string } | undefined;
  readonly config: string;
}

const deepestNesting = 12;
const stateFiles = ['MERGE_HEAD', 'CHERRY_PICK_HEAD', 'REVERT_HEAD', 'BISECT_LOG', 'rebase-merge', 'rebase-apply'];

/** Reads the checkouts at and below `place` into the collector, the outer one first. */
export async function collectCheckout(
  collector: ItemCollector,
  repository: Repository,
  place: string,
  gitPlace: string,
  signal: AbortSignal,
): Promise<Checkout[]> {
  const { top, overrides } = repository;
  const [statusOutput, refs, index] = await Promise.all([
    runGit(top, statusArguments, { signal, settings: overrides }),
    hasUpstreams(repository) ? listRefs(repository, signal) : undefined,
    readIndex(repository, signal),
  ]);
  const status = parseStatus(statusOutput);
  const upstreamName = refs?.get(`refs/heads/${status.branch}`)?.upstream ?? '';
  const checkout: Checkout = {
    repository,
    place,
    gitPlace,
    status,
    index,
    upstream: refs?.get(upstreamName),
    config: guestConfig(repository.config, {
      objectFormat: repository.objectFormat,
      branch: status.branch,
      workTree: gitPlace === below(place, '.git') ? undefined : relative(gitPlace, place === '' ? '.' : place),
      attributesPath: repository.userAttributes.length > 0 ? below(gitPlace, 'info/user-attributes') : undefined,
    }),
  };
  collector.leftOut.ignored += status.ignoredCount;
  if (stateFiles.some((name) => existsSync(join(repository.gitDirectory, name)))) collector.leftOut.in_progress++;
  const nested = [...(await collectTracked(collector, checkout)), ...(await collectUntracked(collector, checkout))];
  const checkouts = [checkout];
  for (const path of nested) {
    checkouts.push(...(await collectNested(collector, checkout, path, signal)));
  }
  return checkouts;
}

function hasUpstreams({ config }: Repository): boolean {
  return [...config.keys()].some((name) => name.startsWith('branch.') && name.endsWith('.merge'));
}

/** Takes the files of the index; gives the submodules that are there. */
async function collectTracked(collector: ItemCollector, checkout: Checkout): Promise<string[]> {
  const { index, place, status } = checkout;
  const hasConversions = convertsContents(checkout);
  const nested: string[] = [];
  for (const entry of index?.entries ?? []) {
    const isClean = !status.modified.has(entry.path) && !entry.isAssumedUnchanged && !entry.isSkipped;
    const proof = !isClean ? 'content' : hasConversions ? 'stamp' : 'index';
    const item = await collector.add(below(place, entry.path), proof);
    if (entry.mode !== gitlinkMode) continue;
    if (item?.type === 'directory' && (await hasGit(collector, below(place, entry.path)))) nested.push(entry.path);
  }
  return nested;
}

async function collectUntracked(collector: ItemCollector, checkout: Checkout): Promise<string[]> {
  const nested: string[] = [];
  for (const path of checkout.status.untracked) {
    if (!path.endsWith('/')) {
      await collector.add(below(checkout.place, path), 'content');
      continue;
    }
    const folder = path.slice(0, -1);
    await collector.add(below(checkout.place, folder), 'content');
    nested.push(folder);
  }
  return nested;
}

async function hasGit(collector: ItemCollector, path: string): Promise<boolean> {
  return await exists(textPath(collector.absolute(below(path, '.git'))));
}

async function collectNested(
  collector: ItemCollector,
  outer: Checkout,
  path: string,
  signal: AbortSignal,
): Promise<Checkout[]> {
  const place = below(outer.place, path);
  const folder = textPath(collector.absolute(place));
  const repository = await openNested(folder, place, signal);
  if (repository === undefined) {
    throw new PyroError('seed_unsupported', `${folder} has a .git that git does not accept as a repository`, {
      hint: `look with: git -C ${folder} status`,
    });
  }
  const modules = `${await realpath(outer.repository.gitDirectory)}/modules/`;
  const gitDirectory = await realpath(repository.gitDirectory);
  const gitPlace = gitDirectory.startsWith(modules)
    ? `${outer.gitPlace}/modules/${Buffer.from(gitDirectory.slice(modules.length)).toString('latin1')}`
    : below(place, '.git');
  return await collectCheckout(collector, repository, place, gitPlace, signal);
}

/** The repository of a nested folder itself; undefined when its `.git` is none. Throws `seed_unsupported`. */
export async function openNested(folder: string, place: string, signal: AbortSignal): Promise<Repository | undefined> {
  if (place.split('/').length > deepestNesting) {
    throw new PyroError('seed_unsupported', `repositories are nested too deeply at ${folder}`, {
      hint: 'seed an inner folder on its own',
    });
  }
  const repository = await openRepository(folder, signal);
  return repository !== undefined && repository.top === (await realpath(folder)) ? repository : undefined;
}

/**
 * True when a clean file may still differ from its blob: line ends and filters change it on the way. Then only the
 * file itself can stand for its content, and the key changes with its times.
 */
function convertsContents({ repository, index }: Checkout): boolean {
  const crlf = lastValue(repository.config, 'core.autocrlf') ?? 'false';
  if (crlf !== 'false' || repository.attributes.length + repository.userAttributes.length > 0) return true;
  return index?.entries.some(({ path }) => path.endsWith('.gitattributes')) ?? false;
}

async function readIndex(repository: Repository, signal: AbortSignal): Promise<GitIndex | undefined> {
  const hashLength = repository.objectFormat === 'sha1' ? 20 : 32;
  let bytes: Buffer;
  try {
    bytes = await readFile(repository.indexPath);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  const index = parseIndex(bytes, hashLength);
  if (!index.isFolded) return index;
  return parseIndex(await temporaryIndex(repository, bytes, signal), hashLength);
}

/** Path in the image below a place, both as latin1. */
export function below(place: string, path: string): string {
  return place === '' ? path : `${place}/${path}`;
}

/** A path for programs, whose arguments are text. */
export function textPath(path: Buffer): string {
  const text = path.toString('utf8');
  if (Buffer.from(text).equals(path)) return text;
  throw new PyroError('seed_unsupported', `the name of a nested repository is not UTF-8: ${JSON.stringify(text)}`, {
    hint: 'rename the folder',
  });
}

/** Stages and flags of an entry, for the key. */
export function describeEntry(entry: IndexEntry): string {
  const flags = `${entry.stage}${Number(entry.isAssumedUnchanged)}${Number(entry.isSkipped)}${Number(entry.isIntentToAdd)}`;
  return `${entry.mode.toString(8)} ${entry.oid} ${flags} ${entry.path}\0`;
}
