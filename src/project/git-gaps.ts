// Which commits of a partial clone are here whole: what is missing is counted, and never fetched.
import { runGit } from './git-command.ts';
import type { Repository } from './git-repository.ts';

export interface Wholeness {
  /** Commits whose files and folders are all here, as far as HEAD's are */
  readonly commits: ReadonlySet<string>;
  /** True when HEAD itself lacks something: a sparse checkout has not fetched what it leaves out */
  readonly hasHeadGaps: boolean;
}

/** Looks at `commits`, HEAD first and in the order in which they matter, up to the first that lacks something. */
export async function findWhole(
  repository: Repository,
  commits: readonly string[],
  signal: AbortSignal,
): Promise<Wholeness> {
  const missingOf = async (count: number): Promise<number> =>
    await countMissing(repository, commits.slice(0, count), signal);
  const ofHead = await missingOf(1);
  let whole = 1;
  let broken = (await missingOf(commits.length)) > ofHead ? commits.length : commits.length + 1;
  if (broken > commits.length) whole = commits.length;
  // More commits never lack less, so that the first gap is found by halving.
  while (broken - whole > 1) {
    const middle = Math.floor((whole + broken) / 2);
    if ((await missingOf(middle)) > ofHead) broken = middle;
    else whole = middle;
  }
  return { commits: new Set(commits.slice(0, whole)), hasHeadGaps: ofHead > 0 };
}

async function countMissing(repository: Repository, commits: readonly string[], signal: AbortSignal): Promise<number> {
  const args = ['rev-list', '--objects', '--no-object-names', '--missing=print', '--no-walk=unsorted', '--stdin'];
  const output = await runGit(repository.top, args, { signal, input: Buffer.from(`${commits.join('\n')}\n`) });
  let count = 0;
  for (let at = output.indexOf('?'); at >= 0; at = output.indexOf('?', at + 1)) count++;
  return count;
}
