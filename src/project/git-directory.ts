// Writes the git directory of the image: HEAD, branch, upstream, the last commits, index and ignore rules.
import { createHash } from 'node:crypto';
import { chmod, mkdir, utimes, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { deflateSync } from 'node:zlib';
import { below, type Checkout, textPath } from './checkout.ts';
import { runGit } from './git-command.ts';
import { lastValue, partialConfig, setting } from './git-config.ts';
import { type History, selectHistory } from './git-history.ts';
import { gitlinkMode, rewriteIndex } from './git-index.ts';
import type { CollectedItem } from './item-collector.ts';
import { type LeftOutCounts, mtimeSecondsOf } from './project-types.ts';

/** Writes one checkout's git directory below `draft`, a copy of the image's tree that has nothing but these. */
export async function writeGitDirectory(
  checkout: Checkout,
  items: ReadonlyMap<string, CollectedItem>,
  leftOut: LeftOutCounts,
  draft: string,
  signal: AbortSignal,
): Promise<void> {
  const { repository, status, place, gitPlace } = checkout;
  const folder = join(draft, textPath(Buffer.from(gitPlace, 'latin1')));
  for (const name of ['objects/info', 'objects/pack', 'refs/heads', 'refs/tags', 'info']) {
    await mkdir(join(folder, name), { recursive: true, mode: 0o755 });
  }
  const write = async (name: string, content: Buffer | string): Promise<void> => {
    if (content.length > 0) await writeFile(join(folder, name), content, { mode: 0o644, encoding: 'latin1' });
  };
  const packedRefs: string[] = [];
  let hasGaps = false;
  if (status.commit !== undefined) {
    const history = await selectHistory(repository, status.commit, checkout.upstream?.commit, signal);
    if (status.branch !== undefined) packedRefs.push(`${status.commit} refs/heads/${status.branch}\n`);
    if (history.hasUpstream && checkout.upstream !== undefined)
      packedRefs.push(`${checkout.upstream.commit} ${checkout.upstream.name}\n`);
    else if (checkout.upstream !== undefined) leftOut.upstreams++;
    leftOut.commits += history.missingCount;
    hasGaps = history.hasHeadGaps;
    await writePack(checkout, history, join(folder, 'objects'), signal);
    await write('shallow', history.shallow.map((commit) => `${commit}\n`).join(''));
  } else if (status.stagedBlobs.size > 0) {
    await writePack(checkout, { tips: [], shallow: [], hasHeadGaps: false }, join(folder, 'objects'), signal);
  }
  if (checkout.index?.entries.some(({ isIntentToAdd }) => isIntentToAdd)) {
    await writeEmptyBlob(repository.objectFormat, join(folder, 'objects'));
  }
  const byName = (a: string, b: string): number => (a.slice(a.indexOf(' ')) < b.slice(b.indexOf(' ')) ? -1 : 1);
  await write('packed-refs', [...new Set(packedRefs)].sort(byName).join(''));
  await write('HEAD', status.branch === undefined ? `${status.commit}\n` : `ref: refs/heads/${status.branch}\n`);
  const partial = hasGaps ? partialConfig(repository.config) : '';
  await write('config', checkout.config + partial + (await abbreviation(checkout, signal)));
  await write('info/exclude', repository.exclude);
  await write('info/attributes', repository.attributes);
  await write('info/user-attributes', repository.userAttributes);
  await write('info/sparse-checkout', repository.sparse);
  await writeIndex(checkout, items, join(folder, 'index'));
  if (gitPlace === below(place, '.git')) return;
  const link = join(draft, textPath(Buffer.from(below(place, '.git'), 'latin1')));
  await mkdir(dirname(link), { recursive: true });
  await writeFile(link, `gitdir: ${relative(dirname(link), folder)}\n`, { mode: 0o644 });
}

async function writePack(
  { repository, status }: Checkout,
  { tips, shallow, hasHeadGaps }: Pick<History, 'tips' | 'shallow' | 'hasHeadGaps'>,
  objects: string,
  signal: AbortSignal,
): Promise<void> {
  const folder = join(objects, 'pack');
  const lines = [...shallow.map((commit) => `--shallow ${commit}`), ...tips, ...status.stagedBlobs];
  // The empty shallow file makes git cut where we say, not where the host's own repository is cut.
  const args = ['--shallow-file', '', 'pack-objects', '--revs', '--shallow', '--delta-base-offset', '--window=0', '-q'];
  if (hasHeadGaps) args.push('--missing=allow-any');
  const name = await runGit(repository.top, [...args, join(folder, 'pack')], {
    signal,
    input: Buffer.from(`${lines.join('\n')}\n`),
    // Git begins a pack where it has its objects, and that is the user's repository, maybe on another file system.
    objects: { from: repository.objects, into: objects },
    settings: ['pack.compression=1', 'pack.writeReverseIndex=false', 'pack.writeBitmapHashCache=false'],
  });
  // Git takes what such a pack names and lacks for not yet fetched, not for lost.
  if (hasHeadGaps)
    await writeFile(join(folder, `pack-${name.toString('latin1').trim()}.promisor`), '', { mode: 0o644 });
}

/** Stands for the content of a path that is only intended to be added; status does not name it. */
async function writeEmptyBlob(objectFormat: string, objects: string): Promise<void> {
  const blob = Buffer.from('blob 0\0');
  const oid = createHash(objectFormat).update(blob).digest('hex');
  await mkdir(join(objects, oid.slice(0, 2)));
  await writeFile(join(objects, oid.slice(0, 2), oid.slice(2)), deflateSync(blob), { mode: 0o444 });
}

/** Git shortens names by the number of objects, and the guest has fewer: the host's length keeps the output alike. */
async function abbreviation({ repository, status }: Checkout, signal: AbortSignal): Promise<string> {
  if (status.commit === undefined || lastValue(repository.config, 'core.abbrev') !== undefined) return '';
  const args = ['rev-list', '--abbrev-commit', '--max-count=50', status.commit, '--'];
  const names = (await runGit(repository.top, args, { signal })).toString('latin1').trim().split('\n');
  const length = Math.min(...names.map((name) => name.length));
  return length > 7 ? setting('core.abbrev', String(length)) : '';
}

/** The index, later than every file in it: git reads the content of a file that is as new as the index. */
async function writeIndex(
  { index, status, place, repository }: Checkout,
  items: ReadonlyMap<string, CollectedItem>,
  path: string,
): Promise<void> {
  if (index === undefined) return;
  let newest = Math.floor(Date.now() / 1000);
  const bytes = rewriteIndex(index, repository.objectFormat, (entry) => {
    const item = items.get(below(place, entry.path));
    const isClean = !status.modified.has(entry.path) && entry.stage === 0 && !entry.isIntentToAdd;
    if (!isClean || entry.mode === gitlinkMode || item === undefined || item.type === 'directory') return undefined;
    newest = Math.max(newest, mtimeSecondsOf(item));
    return item;
  });
  await writeFile(path, bytes);
  await chmod(path, 0o644);
  await utimes(path, newest + 1, newest + 1);
}
