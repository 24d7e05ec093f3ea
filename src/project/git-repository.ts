// Opens the repository of a checkout: where its parts lie, its settings, and whether it can be taken in at all.
import { constants } from 'node:fs';
import { readdir, readFile, realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { messageOf, PyroError, systemCodeOf } from '../shared/errors.ts';
import { readVariable } from '../system/environment-variables.ts';
import { gitRefused, runGit, tryGit } from './git-command.ts';
import { filterOverrides, type GitConfig, isPartialClone, lastValue, parseConfig } from './git-config.ts';

export interface Repository {
  /** Real path of the work tree */
  readonly top: string;
  readonly gitDirectory: string;
  readonly objectFormat: 'sha1' | 'sha256';
  readonly config: GitConfig;
  /** Settings that switch off the repository's filters */
  readonly overrides: readonly string[];
  readonly indexPath: string;
  /** Folder of its objects */
  readonly objects: string;
  readonly shallow: string;
  /** Ignore rules that are not in the tree, the user's own before the repository's */
  readonly exclude: Buffer;
  readonly attributes: Buffer;
  readonly userAttributes: Buffer;
  readonly sparse: Buffer;
  /** Packs of a partial clone, which get more whenever it fetches what it lacks; empty for any other */
  readonly packs: readonly string[];
}

const gitPaths = ['index', 'shallow', 'info/exclude', 'info/attributes', 'info/sparse-checkout', 'objects/pack'];

/** The repository whose work tree is or holds `folder`, undefined when there is none. Throws `seed_unsupported`. */
export async function openRepository(folder: string, signal: AbortSignal): Promise<Repository | undefined> {
  const [found, config] = await Promise.all([
    locate(folder, signal),
    tryGit(folder, ['config', '--list', '-z', '--show-scope'], { signal }),
  ]);
  if (found === undefined) return undefined;
  if (config.exitCode !== 0) throw gitRefused(folder, config.stderr);
  const { config: settings, own } = parseConfig(config.stdout);
  const [indexPath = '', shallowPath = '', excludePath = '', attributesPath = '', sparsePath = '', packFolder = ''] =
    found.paths;
  const folders = join(readVariable('XDG_CONFIG_HOME') ?? join(homedir(), '.config'), 'git');
  const userFile = async (name: string, preset: string): Promise<Buffer> => {
    const value = lastValue(settings, name);
    if (value === undefined) return await readOptional(join(folders, preset));
    const text = Buffer.from(value, 'latin1').toString('utf8');
    const path = text.startsWith('~/') ? join(homedir(), text.slice(2)) : resolve(found.top, text);
    // The user may name any file of the host; a repository only what is in it, or its author could read the host.
    const isOwn = lastValue(own, name) === value;
    const real = await realpath(path).catch(() => undefined);
    return real === undefined || (isOwn && !real.startsWith(`${found.top}/`)) ? none : await readOptional(real);
  };
  const [shallowBytes, excludeBytes, attributes, sparse, userExclude, userAttributes] = await Promise.all([
    readOptional(shallowPath),
    readOptional(excludePath),
    readOptional(attributesPath),
    readOptional(sparsePath),
    userFile('core.excludesfile', 'ignore'),
    userFile('core.attributesfile', 'attributes'),
  ]);
  return {
    top: found.top,
    gitDirectory: found.gitDirectory,
    objectFormat: found.objectFormat,
    config: settings,
    overrides: filterOverrides(settings),
    indexPath,
    objects: dirname(packFolder),
    shallow: shallowBytes.toString('latin1'),
    // Later rules win, and the repository's own stand above the user's.
    exclude: Buffer.concat([userExclude, Buffer.from('\n'), excludeBytes]),
    attributes,
    userAttributes,
    sparse,
    packs: isPartialClone(settings) ? (await readdir(packFolder).catch(() => [])).sort() : [],
  };
}

const none = Buffer.alloc(0);

interface Location {
  readonly top: string;
  readonly gitDirectory: string;
  readonly objectFormat: 'sha1' | 'sha256';
  /** Absolute paths in the order of {@link gitPaths} */
  readonly paths: readonly string[];
}

async function locate(folder: string, signal: AbortSignal): Promise<Location | undefined> {
  const questions = ['--is-bare-repository', '--is-inside-git-dir', '--show-object-format', '--absolute-git-dir'];
  const paths = gitPaths.flatMap((path) => ['--git-path', path]);
  const result = await tryGit(folder, ['rev-parse', ...questions, ...paths, '--show-toplevel'], { signal });
  if (result.exitCode !== 0 && /not a git repository|invalid gitfile/.test(result.stderr)) return undefined;
  const lines = result.stdout.toString('utf8').split('\n');
  const [isBare, isInside, objectFormat, gitDirectory = ''] = lines;
  if (isBare === 'true' || isInside === 'true') {
    throw new PyroError('seed_unsupported', `${folder} is a bare repository or a .git folder, not a checkout`, {
      hint: 'give the folder of a checkout; git clone makes one from a bare repository',
    });
  }
  if (result.exitCode !== 0) throw gitRefused(folder, result.stderr);
  const top = lines[questions.length + gitPaths.length] ?? '';
  if (
    lines.length !== questions.length + gitPaths.length + 2 ||
    !(objectFormat === 'sha1' || objectFormat === 'sha256')
  ) {
    throw new PyroError('seed_unsupported', `the path of the checkout ${JSON.stringify(folder)} has a line break`, {
      hint: 'rename the folder',
    });
  }
  const real = await realpath(folder);
  // core.worktree of a hostile repository could name any folder of the host.
  if (real !== top && !real.startsWith(top === '/' ? top : `${top}/`)) {
    throw new PyroError('seed_unsupported', `the repository of ${folder} has its work tree elsewhere: ${top}`, {
      hint: 'give that folder, if it is the one you mean',
    });
  }
  const absolute = lines.slice(questions.length, -2).map((path) => resolve(real, path));
  return { top, gitDirectory, objectFormat, paths: absolute };
}

/** Content of a file that need not be there. A link in its place could name any file of the host, so it counts as none. */
async function readOptional(path: string): Promise<Buffer> {
  try {
    return await readFile(path, { flag: constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK });
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP'].includes(systemCodeOf(error) ?? '')) return none;
    throw new PyroError('seed_invalid', `cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
}

export interface GitRef {
  readonly name: string;
  readonly commit: string;
  readonly upstream: string;
}

/** Local and remote-tracking branches by full name. */
export async function listRefs(repository: Repository, signal: AbortSignal): Promise<Map<string, GitRef>> {
  const format = '--format=%(objectname) %(refname) %(upstream)';
  const output = await runGit(repository.top, ['for-each-ref', format, 'refs/heads', 'refs/remotes'], { signal });
  const refs = new Map<string, GitRef>();
  for (const line of output.toString('latin1').split('\n')) {
    const [commit = '', name = '', upstream = ''] = line.split(' ');
    if (name !== '') refs.set(name, { name, commit, upstream });
  }
  return refs;
}
