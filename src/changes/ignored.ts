// What of a guest's new paths its project's ignore rules leave out: the rules as they are in the guest, judged by Git here.
import { mkdir } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { Change, GuestFiles } from '../agent/file-types.ts';
import { mebibyte } from '../shared/units.ts';
import { type GitLab, splitRecords, type WorkContext } from './git-lab.ts';
import { pathKey, quotePath, refusalOfGit } from './git-paths.ts';
import type { ListedChange } from './listed-changes.ts';
import { changesAt } from './single-paths.ts';

/** Most bytes of one file of rules, as Git itself has it, and of all of them */
export const longestRules = mebibyte;
export const mostRules = 32 * mebibyte;
/** Most new files of rules whose say about themselves is asked for */
const mostOwn = 500;
export const rulesName = '.gitignore';
const ownRulesPath = '.git/info/exclude';
/** A name that the same wildcards fit */
const likeRules = '.gitignorf';
/** Before each path, since one that begins with a colon would be more than a path */
const here = './';
const rulesRef = 'refs/lab/rules';

/** Keys of new files and links that the rules of the project leave out; none where there is no repository. */
export async function findIgnored(
  lab: GitLab,
  files: GuestFiles,
  changes: readonly ListedChange[],
  context: WorkContext,
): Promise<ReadonlySet<string>> {
  const fresh = changes.filter(
    ({ isLeaf, isNew, key }) => isLeaf && isNew && refusalOfGit(Buffer.from(key, 'latin1'), false) === undefined,
  );
  if (fresh.length === 0) return new Set();
  const rules = await readRules(
    files,
    fresh.map(({ key }) => key),
    changes,
    context,
  );
  if (rules === undefined) return new Set();
  await installRules(lab, rules);
  const asked = new Map<string, string>();
  for (const { key } of fresh) {
    // Git takes its files of rules for tracked here: a name beside them stands for them.
    const isRules = rules.has(key);
    asked.set(isRules ? `${key.slice(0, -rulesName.length)}${likeRules}` : key, key);
  }
  const own = await judgeOwn(lab, rules, asked);
  const ignored = await judgeAll(lab, asked);
  for (const [key, isIgnored] of own) {
    if (isIgnored) ignored.add(key);
    else ignored.delete(key);
  }
  for (const key of await stillIgnored(lab, own, asked)) ignored.add(key);
  return ignored;
}

/** Those that are left out although their own rules take them in: what is in a folder that is left out has no say. */
async function stillIgnored(
  lab: GitLab,
  own: ReadonlyMap<string, boolean>,
  asked: ReadonlyMap<string, string>,
): Promise<Set<string>> {
  const takenIn = new Map([...asked].filter(([, key]) => own.get(key) === false));
  if (takenIn.size === 0) return new Set();
  const input = Readable.from([...takenIn.values()].map((key) => Buffer.from(`${key}\0`, 'latin1')));
  await lab.run(['update-index', '-z', '--force-remove', '--stdin'], { input, hasWorkTree: true });
  return await judgeAll(lab, takenIn);
}

/** The values of those that are left out. */
export async function judgeAll(lab: GitLab, asked: ReadonlyMap<string, string>): Promise<Set<string>> {
  const ignored = new Set<string>();
  for (const record of splitRecords(await checkIgnore(lab, [...asked.keys()], []))) {
    const key = asked.get(pathKey(record).slice(here.length));
    if (key !== undefined) ignored.add(key);
  }
  return ignored;
}

type Rules = Map<string, Buffer>;

/** Contents of the rules that these keys fall under, by the key of their path; undefined where the guest has no repository. */
export async function readRules(
  files: GuestFiles,
  fresh: Iterable<string>,
  changes: readonly ListedChange[],
  context: WorkContext,
): Promise<Rules | undefined> {
  const listed = new Map(changes.map((change) => [change.key, change]));
  const wanted = new Set(['.git', ownRulesPath]);
  const seen = new Set<string>();
  for (const key of fresh) {
    for (let slash = key.lastIndexOf('/'); ; slash = key.lastIndexOf('/', slash - 1)) {
      const folder = key.slice(0, Math.max(slash, 0));
      if (seen.has(folder)) break;
      seen.add(folder);
      const place = folder === '' ? rulesName : `${folder}/${rulesName}`;
      // What a new folder holds has been listed.
      if (listed.get(folder)?.isNew !== true || listed.has(place)) wanted.add(place);
      if (slash <= 0) break;
    }
  }
  const rules: Rules = new Map();
  let isRepository = false;
  let bytes = 0;
  const request = { hasContent: true, largestContent: longestRules };
  for await (const change of changesAt(files, [...wanted], request, context)) {
    const key = pathKey(change.path);
    if (key === '.git') isRepository = change.after !== undefined;
    else if (
      change.after?.type === 'file' &&
      change.after.withheld !== true &&
      bytes + change.after.size <= mostRules
    ) {
      bytes += change.after.size;
      rules.set(key, await contentOf(change));
    }
  }
  return isRepository ? rules : undefined;
}

async function contentOf(change: Change): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of change.contentAfter()) parts.push(part);
  return Buffer.concat(parts);
}

/** Puts them where Git looks when there is no such file: into an index of files that are not checked out. */
export async function installRules(lab: GitLab, rules: Rules): Promise<void> {
  await lab.hold(() => mkdir(lab.file('empty'), { mode: 0o700 }));
  const own = rules.get(ownRulesPath);
  rules.delete(ownRulesPath);
  if (own !== undefined) await lab.setExclude(own);
  const paths = [...rules.keys()].map((key) => Buffer.from(key, 'latin1'));
  const head = `commit ${rulesRef}\ncommitter pyro <pyro@localhost> 0 +0000\ndata 0\n\n`;
  const stream: Buffer[] = [Buffer.from(head)];
  for (const [key, content] of rules) {
    stream.push(Buffer.from(`M 100644 inline ${quotePath(Buffer.from(key, 'latin1'))}\ndata ${content.length}\n`));
    stream.push(content, Buffer.from('\n'));
  }
  stream.push(Buffer.from('done\n'));
  await lab.run(['fast-import', '--quiet', '--done', '--force', '--depth=0'], { input: Readable.from(stream) });
  await lab.run(['read-tree', rulesRef]);
  const names = Readable.from(paths.map((path) => Buffer.concat([path, Buffer.from('\0')])));
  await lab.run(['update-index', '-z', '--skip-worktree', '--stdin'], { input: names, hasWorkTree: true });
}

/** What new files of rules say about themselves: many a cache is a folder whose rules leave out all of it, `*`. */
async function judgeOwn(lab: GitLab, rules: Rules, asked: ReadonlyMap<string, string>): Promise<Map<string, boolean>> {
  const verdicts = new Map<string, boolean>();
  const known = new Map<string, boolean | undefined>();
  for (const key of asked.values()) {
    const content = rules.get(key);
    if (content === undefined) continue;
    const text = content.toString('latin1');
    if (!known.has(text)) {
      if (known.size >= mostOwn) break;
      known.set(text, await judge(lab, content));
    }
    const verdict = known.get(text);
    if (verdict !== undefined) verdicts.set(key, verdict);
  }
  return verdicts;
}

/** True when the rules leave out a file of rules beside them, false when they take it back in, undefined for neither. */
async function judge(lab: GitLab, content: Buffer): Promise<boolean | undefined> {
  const file = await lab.write('own-rules', content);
  const settings = [`core.excludesFile=${file}`];
  // Nothing of the index is looked at, so that only these rules speak; in a place where no other rules hold.
  const output = await checkIgnore(lab, [rulesName], ['--no-index', '--verbose'], settings);
  const [source, , pattern] = splitRecords(output);
  if (source === undefined || source.toString() !== file || pattern === undefined) return undefined;
  return pattern[0] !== 0x21;
}

async function checkIgnore(
  lab: GitLab,
  keys: readonly string[],
  options: readonly string[],
  settings: readonly string[] = [],
): Promise<Buffer> {
  const names = Readable.from(keys.map((key) => Buffer.from(`${here}${key}\0`, 'latin1')));
  const call = { input: names, settings, outputFile: 'ignored', hasWorkTree: true };
  const result = await lab.tryRun(['check-ignore', '-z', '--stdin', ...options], call);
  // 1: none of them.
  if (result.exitCode > 1) throw lab.failure('check-ignore', result);
  return await lab.read('ignored');
}
