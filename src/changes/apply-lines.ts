// How many lines an apply adds and takes away: against what stands there now, which need not be what the seed had.
import { constants } from 'node:fs';
import { open, readlink } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { systemCodeOf } from '../shared/errors.ts';
import { sizesOf } from './apply-base.ts';
import { type ApplyStep, noBlob, noMode } from './apply-plan.ts';
import type { LineCounts } from './diff-types.ts';
import type { GitLab } from './git-lab.ts';
import { pathKey, quotePath } from './git-paths.ts';
import { placeOf } from './host-state.ts';
import type { RawChange } from './raw-diff.ts';

const standingRef = 'refs/lab/standing';
const writtenRef = 'refs/lab/written';
const head = (ref: string): string => `commit ${ref}\ncommitter pyro <pyro@localhost> 0 +0000\ndata 0\n\n`;

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
  const standing = steps.flatMap(({ before: { blob } }) => blob ?? []);
  const known = await sizesOf(lab, standing);
  const input = Readable.from(streamOf(root, steps, known));
  await lab.run(['fast-import', '--quiet', '--done', '--force', '--depth=0'], { input });
  const options = ['-r', '--no-renames', '--no-ext-diff', '--no-textconv', '-z', '--raw', '--numstat', '--no-abbrev'];
  return await lab.compare(['diff-tree', ...options, standingRef, writtenRef]);
}

async function* streamOf(
  root: string,
  steps: readonly ApplyStep[],
  known: ReadonlyMap<string, number>,
): AsyncGenerator<string | Buffer> {
  yield head(standingRef);
  for (const { path, before } of steps) {
    if (before.mode === undefined || before.blob === undefined) continue;
    if (known.has(before.blob)) yield `M ${before.mode} ${before.blob} ${quotePath(path)}\n`;
    else yield* inline(`M ${before.mode} inline ${quotePath(path)}\n`, placeOf(root, path), before.mode === '120000');
  }
  yield `\n${head(writtenRef)}`;
  for (const { path, content } of steps)
    if (content !== undefined) yield `M ${content.mode} ${content.blob} ${quotePath(path)}\n`;
  yield '\ndone\n';
}

/** What the lab has not kept, from the host. One that has just gone is not counted: writing finds that out, and says it. */
async function* inline(line: string, place: Buffer, isLink: boolean): AsyncGenerator<string | Buffer> {
  try {
    if (isLink) {
      const target = await readlink(place, { encoding: 'buffer' });
      yield `${line}data ${target.length}\n`;
      yield target;
      yield '\n';
      return;
    }
    await using file = await open(place, constants.O_RDONLY | constants.O_NOFOLLOW);
    const { size } = await file.stat();
    yield `${line}data ${size}\n`;
    let missing = size;
    for await (const chunk of file.createReadStream({ autoClose: false, highWaterMark: 1 << 20 })) {
      if (missing === 0) break;
      const part: Buffer = chunk.subarray(0, missing);
      missing -= part.length;
      yield part;
    }
    for (; missing > 0; missing -= Math.min(missing, 1 << 20)) yield Buffer.alloc(Math.min(missing, 1 << 20));
    yield '\n';
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR', 'ELOOP', 'EINVAL'].includes(systemCodeOf(error) ?? '')) throw error;
  }
}
