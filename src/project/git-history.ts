// Which commits go in: the last 50, what the upstream needs to be counted alike, and where the history is cut.
import { runGit } from './git-command.ts';
import { isPartialClone } from './git-config.ts';
import { findWhole } from './git-gaps.ts';
import type { Repository } from './git-repository.ts';

export interface History {
  readonly tips: readonly string[];
  /** Commits that lose their parents */
  readonly shallow: readonly string[];
  /** True when the upstream can be counted against HEAD as on the host */
  readonly hasUpstream: boolean;
  /** Commits that stay behind since a partial clone has not fetched all of them */
  readonly missingCount: number;
  /** True when HEAD itself lacks objects */
  readonly hasHeadGaps: boolean;
}

interface Cut {
  readonly kept: Parents;
  readonly shallow: readonly string[];
  readonly missingCount: number;
  readonly hasHeadGaps: boolean;
}

type Parents = Map<string, readonly string[]>;

const farthestUpstream = 2000;

/** Commits of the image; git cuts a commit from all of its parents or from none. */
export async function selectHistory(
  repository: Repository,
  head: string,
  upstream: string | undefined,
  signal: AbortSignal,
): Promise<History> {
  const hostShallow = new Set(repository.shallow.split('\n'));
  const apart = upstream === undefined ? undefined : await readApart(repository, head, upstream, signal);
  for (const count of [50, 500, 5000]) {
    const parents = await readParents(repository, [`--max-count=${count}`, head], signal);
    if (apart !== undefined) for (const [commit, own] of apart.parents) parents.set(commit, own);
    const whole = cut(parents, hostShallow);
    const { kept, ...chosen } = isPartialClone(repository.config)
      ? await cutAtGaps(repository, whole, [head, ...(apart?.parents.keys() ?? [])], hostShallow, signal)
      : whole;
    if (upstream === undefined || apart === undefined) return { ...chosen, tips: [head], hasUpstream: false };
    const [ahead, behind] = countApart(kept, head, upstream);
    if (kept.has(upstream) && ahead === apart.ahead && behind === apart.behind)
      return { ...chosen, tips: [head, upstream], hasUpstream: true };
    // What is missing does not come by looking further back.
    if (chosen.missingCount > 0) break;
  }
  return await selectHistory(repository, head, undefined, signal);
}

/** Closes the set: a commit with some parents inside gets the others too, as ends; one with none inside is an end. */
function cut(parents: Parents, hostShallow: ReadonlySet<string>): Cut {
  const kept: Parents = new Map();
  const shallow = new Set<string>();
  for (const [commit, own] of parents) {
    const inside = own.filter((parent) => parents.has(parent));
    if (hostShallow.has(commit)) shallow.add(commit);
    if (own.length > 0 && inside.length === 0) {
      shallow.add(commit);
      kept.set(commit, []);
      continue;
    }
    kept.set(commit, own);
    for (const parent of own) {
      if (parents.has(parent)) continue;
      // A root commit among them is listed as an end too, which changes nothing.
      shallow.add(parent);
      kept.set(parent, []);
    }
  }
  return { kept, shallow: [...shallow], missingCount: 0, hasHeadGaps: false };
}

/** The same history as far as every object of it is here: a commit whose parents are not all here is an end. */
async function cutAtGaps(
  repository: Repository,
  wanted: Cut,
  first: readonly string[],
  hostShallow: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Cut> {
  const order = [...new Set([...first, ...wanted.kept.keys()])];
  const { commits, hasHeadGaps } = await findWhole(repository, order, signal);
  if (commits.size === order.length) return { ...wanted, hasHeadGaps };
  const kept: Parents = new Map();
  const shallow = new Set<string>();
  const ends = new Set(wanted.shallow);
  for (const commit of reachAll(first.filter((tip) => commits.has(tip)))) {
    const own = wanted.kept.get(commit) ?? [];
    const isEnd = ends.has(commit) || hostShallow.has(commit) || !own.every((parent) => commits.has(parent));
    if (isEnd) shallow.add(commit);
    kept.set(commit, isEnd ? [] : own);
  }
  return { kept, shallow: [...shallow], missingCount: order.length - kept.size, hasHeadGaps };

  function* reachAll(tips: readonly string[]): Generator<string> {
    const seen = new Set(tips);
    for (const commit of seen) {
      yield commit;
      for (const parent of kept.get(commit) ?? []) seen.add(parent);
    }
  }
}

function countApart(kept: Parents, head: string, upstream: string): [number, number] {
  const mine = reach(kept, head);
  const theirs = reach(kept, upstream);
  return [countOnly(mine, theirs), countOnly(theirs, mine)];
}

function countOnly(some: ReadonlySet<string>, others: ReadonlySet<string>): number {
  return [...some].filter((commit) => !others.has(commit)).length;
}

function reach(kept: Parents, from: string): Set<string> {
  const seen = new Set([from]);
  for (const commit of seen) for (const parent of kept.get(commit) ?? []) seen.add(parent);
  return seen;
}

async function readParents(repository: Repository, args: readonly string[], signal: AbortSignal): Promise<Parents> {
  const output = await runGit(repository.top, ['rev-list', '--parents', ...args, '--'], { signal });
  const parents: Parents = new Map();
  for (const line of output.toString('latin1').split('\n')) {
    const [commit = '', ...own] = line.split(' ');
    if (commit !== '') parents.set(commit, own);
  }
  return parents;
}

async function readApart(repository: Repository, head: string, upstream: string, signal: AbortSignal) {
  const range = ['--left-right', `--max-count=${farthestUpstream}`, `${head}...${upstream}`];
  const marked = await readParents(repository, range, signal);
  if (marked.size >= farthestUpstream) return undefined;
  const parents: Parents = new Map();
  let ahead = 0;
  for (const [commit, own] of marked) {
    if (commit.startsWith('<')) ahead++;
    parents.set(
      commit.replace(/^[<>]/, ''),
      own.map((parent) => parent.replace(/^[<>]/, '')),
    );
  }
  const ends = await readParents(repository, ['--no-walk', head, upstream], signal);
  for (const [commit, own] of ends) parents.set(commit, own);
  return { parents, ahead, behind: marked.size - ahead };
}
