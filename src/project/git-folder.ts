// The .git of a workspace: index and HEAD as on the host, the last commits, and nothing that could run or leak.
import { copyFile, mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { PyroError } from '../shared/errors.ts';
import { readVariable } from '../system/environment-variables.ts';
import { git, gitLine, splitZero } from './git.ts';

const commits = 50;
const emptyBlob = 'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391';

/** Settings that decide what `git status` says; their values are the host's. */
const keptSettings = [
  'core.filemode',
  'core.symlinks',
  'core.ignorecase',
  'core.autocrlf',
  'core.eol',
  'core.safecrlf',
  'core.precomposeunicode',
  'core.sparsecheckout',
  'core.sparsecheckoutcone',
  'index.sparse',
];

export interface GitFacts {
  readonly commit: string | null;
  readonly branch: string | null;
}

/** Writes the folder of a repository at `target`. Throws `seed_unsupported`. */
export async function writeGitFolder(root: string, target: string, signal: AbortSignal): Promise<GitFacts> {
  const ask = (...args: string[]): Promise<string | undefined> => gitLine(root, args, signal);
  await refuseUnsupported(root, ask);
  const commit = await ask('rev-parse', '--verify', '-q', 'HEAD^{commit}');
  const head = await ask('symbolic-ref', '-q', 'HEAD');
  const upstream = await ask('rev-parse', '-q', '--verify', '--symbolic-full-name', '@{upstream}');
  await rm(target, { recursive: true, force: true });
  await git(root, ['init', '-q', '--bare', '--template=', target], { signal });
  if (commit !== undefined) await copyHistory(root, target, upstream, signal);
  await copyIndex(root, target, signal);
  await writeFile(join(target, 'HEAD'), head === undefined ? `${commit}\n` : `ref: ${head}\n`);
  await writeConfig(target, head, upstream, ask);
  await copyInfo(root, target, ask);
  for (const name of ['description', 'branches', 'hooks', 'FETCH_HEAD'])
    await rm(join(target, name), { recursive: true, force: true });
  return { commit: commit ?? null, branch: head?.replace(/^refs\/heads\//, '') ?? null };
}

type Ask = (...args: string[]) => Promise<string | undefined>;

async function refuseUnsupported(root: string, ask: Ask): Promise<void> {
  const refuse = (what: string, hint: string): PyroError =>
    new PyroError('seed_unsupported', `${root} is ${what}, which cannot go into a workspace`, { hint });
  const clone = 'clone it in the usual way, and take the clone';
  if ((await ask('rev-parse', '--is-inside-work-tree')) !== 'true') throw refuse('a bare repository', clone);
  const format = await ask('rev-parse', '--show-object-format');
  if (format !== undefined && format !== 'sha1') throw refuse(`a repository of the format ${format}`, clone);
  if ((await ask('config', '--get', 'extensions.partialClone')) !== undefined)
    throw refuse('a partial clone', 'fetch all of it first: git fetch --refetch --no-filter');
}

/** Objects and refs of HEAD and of the branch that it follows, some commits deep. */
async function copyHistory(
  root: string,
  target: string,
  upstream: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const gitDir = await gitLine(root, ['rev-parse', '--absolute-git-dir'], signal);
  const url = `file://${encodeURI(gitDir ?? root)}`;
  const refs = ['HEAD:refs/pyro/head', ...(upstream === undefined ? [] : [`+${upstream}:${upstream}`])];
  // What is packed already is taken as it is; the rest is not worth squeezing for a folder that is packed again.
  const server = 'git -c pack.window=0 -c pack.compression=0 -c core.hooksPath=/dev/null upload-pack';
  const fetch = ['-c', 'gc.auto=0', 'fetch', '-q', '--no-tags', '--no-write-fetch-head', `--depth=${commits}`];
  fetch.push(`--upload-pack=${server}`);
  await git(target, [...fetch, '--update-shallow', url, ...refs], { signal });
  const head = await gitLine(root, ['symbolic-ref', '-q', 'HEAD'], signal);
  if (head !== undefined) await git(target, ['update-ref', head, 'refs/pyro/head'], { signal });
  // A detached HEAD keeps its commit by itself.
  if (head !== undefined || upstream !== undefined)
    await git(target, ['update-ref', '-d', 'refs/pyro/head'], { signal });
}

/** The index byte for byte, and the blobs that only it names. */
async function copyIndex(root: string, target: string, signal: AbortSignal): Promise<void> {
  const index = await gitLine(root, ['rev-parse', '--path-format=absolute', '--git-path', 'index'], signal);
  if (index === undefined) return;
  const status = await stat(index).catch(() => undefined);
  if (status === undefined) return;
  for (const name of await readdir(dirname(index))) {
    if (name !== basename(index) && !name.startsWith('sharedindex.')) continue;
    await copyFile(join(dirname(index), name), join(target, name));
  }
  // Git takes files that are as new as the index for possibly changed, so its time must stay.
  await utimes(join(target, 'index'), status.atime, status.mtime);
  const staged = splitZero(await git(root, ['ls-files', '-s', '-z'], { signal })).flatMap((entry) => {
    const match = /^(\d{6}) ([0-9a-f]{40}) /.exec(entry.toString('latin1'));
    return match === null || match[1] === '160000' || match[2] === undefined ? [] : [match[2]];
  });
  // Git makes an entry of `add --intent-to-add` without ever storing the empty file that it names.
  if (staged.includes(emptyBlob))
    await git(target, ['hash-object', '-w', '--stdin'], { signal, input: Buffer.alloc(0) });
  const names = [...new Set(staged)];
  const input = Buffer.from(names.map((name) => `${name}\n`).join(''));
  const known = await git(target, ['cat-file', '--batch-check=%(objectname)', '--buffer'], { signal, input });
  const missing = known.toString('latin1').match(/^[0-9a-f]{40}(?= missing$)/gm) ?? [];
  if (missing.length === 0) return;
  const wanted = Buffer.from(missing.map((name) => `${name}\n`).join(''));
  const pack = await git(root, ['pack-objects', '-q', '--stdout'], { signal, input: wanted });
  await git(target, ['index-pack', '--stdin'], { signal, input: pack });
}

async function writeConfig(
  target: string,
  head: string | undefined,
  upstream: string | undefined,
  ask: Ask,
): Promise<void> {
  const lines = [
    '[core]',
    '\trepositoryformatversion = 0',
    '\tbare = false',
    '\tlogallrefupdates = true',
    // In the guest every inode and change time is another one; these keep the first `git status` from reading all files.
    '\tcheckStat = minimal',
    '\ttrustctime = false',
    '\tpreloadIndex = false',
  ];
  for (const name of keptSettings) {
    const value = await ask('config', '--get', name);
    const [section = '', key = ''] = name.split('.');
    if (value !== undefined) lines.push(`[${section}]`, `\t${key} = ${quote(value)}`);
  }
  const branch = head?.startsWith('refs/heads/') === true ? head.slice('refs/heads/'.length) : undefined;
  const remote = branch === undefined ? undefined : await ask('config', '--get', `branch.${branch}.remote`);
  if (branch !== undefined && remote !== undefined && upstream !== undefined) {
    const merge = await ask('config', '--get', `branch.${branch}.merge`);
    const url = await ask('config', '--get', `remote.${remote}.url`);
    lines.push(`[branch ${quote(branch)}]`, `\tremote = ${quote(remote)}`, `\tmerge = ${quote(merge ?? '')}`);
    if (remote !== '.') {
      lines.push(`[remote ${quote(remote)}]`, `\tfetch = ${quote(`+refs/heads/*:refs/remotes/${remote}/*`)}`);
      if (url !== undefined) lines.push(`\turl = ${quote(withoutCredentials(url))}`);
    }
  }
  await writeFile(join(target, 'config'), `${lines.join('\n')}\n`);
}

/** Ignore rules and attributes that are not in the tree; those of the person's own configuration count as well. */
async function copyInfo(root: string, target: string, ask: Ask): Promise<void> {
  await mkdir(join(target, 'info'), { recursive: true });
  const read = async (path: string | undefined): Promise<string> =>
    path === undefined ? '' : await readFile(path, 'utf8').catch(() => '');
  const inside = (name: string): Promise<string | undefined> =>
    ask('rev-parse', '--path-format=absolute', '--git-path', name);
  const personal = await ask('config', '--type=path', '--get', 'core.excludesFile');
  const configHome = readVariable('XDG_CONFIG_HOME') ?? join(readVariable('HOME') ?? root, '.config');
  const excludes = [
    await read(personal ?? join(configHome, 'git', 'ignore')),
    await read(await inside('info/exclude')),
  ];
  await writeFile(join(target, 'info', 'exclude'), excludes.filter((text) => text !== '').join('\n'));
  for (const name of ['info/attributes', 'info/sparse-checkout']) {
    const text = await read(await inside(name));
    if (text !== '') await writeFile(join(target, name), text);
  }
}

/** Value or subsection of Git's configuration. */
function quote(value: string): string {
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n').replaceAll('\t', '\\t')}"`;
}

/** Neither name nor token of a URL goes into a guest. */
export function withoutCredentials(url: string): string {
  return url.replace(/^([A-Za-z][A-Za-z0-9+.-]*:\/\/)[^/?#]*@/, '$1').replace(/[?#].*$/, '');
}
