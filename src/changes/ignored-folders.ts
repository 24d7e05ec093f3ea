// New folders that the project's rules leave out as a whole: found before anything in them is named, as they may hold a million files.
import { type GuestFiles, mostLeftOut } from '../agent/file-types.ts';
import { GitLab, type WorkContext } from './git-lab.ts';
import { refusalOfGit } from './git-paths.ts';
import { findIgnored, installRules, judgeAll, readRules, rulesName } from './ignored.ts';
import { type ListedChange, listChanges, listUpTo, type Narrowed } from './listed-changes.ts';

/** A longer list is made again with its ignored folders folded */
const longestPlainList = 50_000;
/** A file that each folder takes back in: it is left out where the folder itself is, since what is in such a folder has no say */
const probeName = '.pyro-probe-4c1d';

export interface SurveyRequest {
  /** Private folder of the host for what is thrown away afterwards */
  readonly workFolder: string;
  /** True when what the rules leave out is wanted too */
  readonly hasIgnored: boolean;
  /** Paths up to which a list names the files of ignored folders */
  readonly longestPlain?: number | undefined;
}

export interface Survey {
  readonly listed: readonly ListedChange[];
  /** Keys of files and links that the rules leave out; those in folded folders are not among them */
  readonly ignored: ReadonlySet<string>;
}

/** What changed, and what of it stays behind. Throws `diff_too_large` for more than is held in memory. */
export async function surveyChanges(
  lab: GitLab,
  files: GuestFiles,
  narrowed: Narrowed,
  { workFolder, hasIgnored, longestPlain = longestPlainList }: SurveyRequest,
  context: WorkContext,
): Promise<Survey> {
  if (hasIgnored) return { listed: await listChanges(files, narrowed, context), ignored: new Set() };
  const plain = await listUpTo(longestPlain, files, narrowed, context);
  const folded = plain === undefined ? await findIgnoredFolders(workFolder, [files], narrowed, context) : [];
  const listed = plain ?? (await listChanges(files, { ...narrowed, folded }, context));
  return { listed, ignored: await findIgnored(lab, files, listed, context) };
}

/** The topmost of them. The rules are those of the first files; folders are those of all. */
export async function findIgnoredFolders(
  workFolder: string,
  all: readonly [GuestFiles, ...GuestFiles[]],
  narrowed: Narrowed,
  context: WorkContext,
): Promise<Buffer[]> {
  const listed: ListedChange[] = [];
  for (const files of all) listed.push(...(await listChanges(files, { ...narrowed, leafNames: [rulesName] }, context)));
  const folders = new Set<string>();
  for (const { key, isNew, after } of listed) {
    const isFolder = isNew && after?.type === 'directory';
    if (isFolder && refusalOfGit(Buffer.from(key, 'latin1'), false) === undefined) folders.add(key);
  }
  if (folders.size === 0) return [];
  const asked = new Map([...folders].map((key) => [`${key}/${probeName}`, key]));
  const rules = await readRules(all[0], asked.keys(), listed, context);
  if (rules === undefined) return [];
  const takenIn = Buffer.from(`\n!/${probeName}\n`);
  for (const folder of folders) {
    const place = `${folder}/${rulesName}`;
    rules.set(place, Buffer.concat([rules.get(place) ?? Buffer.alloc(0), takenIn]));
  }
  await using lab = await GitLab.create(workFolder, context);
  await installRules(lab, rules);
  const ignored = await judgeAll(lab, asked);
  const isTopmost = (key: string): boolean => !ignored.has(key.slice(0, Math.max(key.lastIndexOf('/'), 0)));
  return [...ignored]
    .filter(isTopmost)
    .slice(0, mostLeftOut)
    .map((key) => Buffer.from(key, 'latin1'));
}
