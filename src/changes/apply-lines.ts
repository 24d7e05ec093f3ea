// How many lines an apply adds and takes away: against what is there now, which need not be what the seed had.
import { constants } from 'node:fs';
import { open, readlink } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { systemCodeOf } from '../shared/errors.ts';
import { sizesOf } from './apply-base.ts';
import { type ApplyStep, noBlob, noMode } from './apply-plan.ts';
import type { LineCounts } from './diff-types.ts';
import type { GitLab } from './git-lab.ts';
import { pathKey } from './git-paths.ts';
import { placeOf } from './host-state.ts';
import { writeTree } from './lab-trees.ts';
import type { RawChange } from './raw-diff.ts';

const pieceBytes = 1 << 20;

/** `changes` are those since the seed with their lines; where the seed's version stands, they are the answer. */
export async function countSteps(
  lab: GitLab,
  root: string,
  steps: readonly ApplyStep[],
  changes: readonly RawChange[],
): Promise<LineCounts> {
  const since = new Map(changes.map((change) => [change.key, change]));
  let [additions, deletions] = [0, 0];
  const others: ApplyStep[] = [];
  for (const step of steps) {
    const change = since.get(pathKey(step.path));
    if (change === undefined || !isFromSeed(step, change)) {
      others.push(step);
      continue;
    }
    additions += change.lines?.added ?? 0;
    deletions += change.lines?.deleted ?? 0;
  }
  for (const { lines } of others.length === 0 ? [] : await compareSteps(lab, root, others)) {
    additions += lines?.added ?? 0;
    deletions += lines?.deleted ?? 0;
  }
  return { additions, deletions };
}

function isFromSeed({ before, content }: ApplyStep, { oldMode, oldBlob, newMode, newBlob }: RawChange): boolean {
  const isOld = (before.mode ?? noMode) === oldMode && (before.blob ?? noBlob) === oldBlob;
  return isOld && (content?.mode ?? noMode) === newMode && (content?.blob ?? noBlob) === newBlob;
}

async function compareSteps(lab: GitLab, root: string, steps: readonly ApplyStep[]): Promise<RawChange[]> {
  const blobs = steps.flatMap(({ before: { blob } }) => blob ?? []);
  const kept = await sizesOf(lab, blobs);
  const missing = steps.filter(({ before: { blob } }) => blob !== undefined && !kept.has(blob));
  if (missing.length > 0) {
    const input = Readable.from(contentsOf(root, missing));
    await lab.run(['fast-import', '--quiet', '--done', '--force', '--depth=0', '--big-file-threshold=16m'], { input });
  }
  // One that someone has changed in this moment is not among them; writing finds that out, and says it.
  const known = missing.length > 0 ? await sizesOf(lab, blobs) : kept;
  const standing = await treeOf(lab, steps, ({ before: { mode, blob } }) =>
    mode !== undefined && blob !== undefined && known.has(blob) ? { mode, blob } : undefined,
  );
  return await compareTrees(lab, standing, await treeOf(lab, steps, ({ content }) => content));
}

/** Changes path by path from one tree to the other, with the lines of each. */
export async function compareTrees(lab: GitLab, from: string, to: string): Promise<RawChange[]> {
  const options = ['-r', '--no-renames', '--no-ext-diff', '--no-textconv', '-z', '--raw', '--numstat', '--no-abbrev'];
  return await lab.compare(['diff-tree', ...options, from, to]);
}

async function treeOf(
  lab: GitLab,
  steps: readonly ApplyStep[],
  sideOf: (step: ApplyStep) => ApplyStep['content'],
): Promise<string> {
  const entries = async function* (): AsyncGenerator<Buffer> {
    for (const step of steps) {
      const side = sideOf(step);
      if (side !== undefined) yield Buffer.from(`${side.mode} ${side.blob}\t${pathKey(step.path)}\0`, 'latin1');
    }
  };
  return await writeTree(lab, entries());
}

/** What the lab has not kept, from the host. */
async function* contentsOf(root: string, steps: readonly ApplyStep[]): AsyncGenerator<string | Buffer> {
  for (const { path, before } of steps) yield* contentOf(placeOf(root, path), before.mode === '120000');
  yield 'done\n';
}

async function* contentOf(place: Buffer, isLink: boolean): AsyncGenerator<string | Buffer> {
  try {
    if (isLink) {
      const target = await readlink(place, { encoding: 'buffer' });
      yield `blob\ndata ${target.length}\n`;
      yield target;
      yield '\n';
      return;
    }
    await using file = await open(place, constants.O_RDONLY | constants.O_NOFOLLOW);
    const { size } = await file.stat();
    yield `blob\ndata ${size}\n`;
    let missing = size;
    for await (const chunk of file.createReadStream({ autoClose: false, highWaterMark: pieceBytes })) {
      const part: Buffer = chunk.subarray(0, missing);
      missing -= part.length;
      yield part;
      if (missing === 0) break;
    }
    // The length is promised.
    for (; missing > 0; missing -= Math.min(missing, pieceBytes)) yield Buffer.alloc(Math.min(missing, pieceBytes));
    yield '\n';
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR', 'ELOOP', 'EINVAL'].includes(systemCodeOf(error) ?? '')) throw error;
  }
}
