// Runs git on a repository that may be hostile: no hooks, no watchers, no filters, no network, nothing written.
import { PyroError } from '../shared/errors.ts';
import { type ByteResult, runBytes } from '../system/command.ts';
import { noOtherRepository } from '../system/git-variables.ts';
import { lastWords } from '../system/last-words.ts';

export interface GitOptions {
  readonly signal: AbortSignal;
  readonly input?: Buffer;
  /** Further settings, `name=value`, that hold over those of the repository */
  readonly settings?: readonly string[];
  readonly indexFile?: string;
  /** Where git reads objects, and where it writes them, its temporary files among them; both where they are unless given */
  readonly objects?: { readonly from: string; readonly into: string };
}

/** Settings that would start programs or talk to the network, whatever the repository says. */
const safeSettings = [
  'core.fsmonitor=false',
  'core.hooksPath=/dev/null',
  'core.askPass=',
  'core.sshCommand=false',
  'core.alternateRefsCommand=true',
  'protocol.allow=never',
  'credential.helper=',
  'gc.auto=0',
  'maintenance.auto=false',
  'log.showSignature=false',
  'submodule.recurse=false',
];

/** A caller that is itself a git hook has variables set that would change what git does here. */
const environment: Readonly<Record<string, string | undefined>> = {
  ...noOtherRepository,
  GIT_INDEX_VERSION: undefined,
  GIT_QUARANTINE_PATH: undefined,
  GIT_PREFIX: undefined,
  GIT_CONFIG: undefined,
  GIT_CONFIG_PARAMETERS: undefined,
  GIT_CONFIG_COUNT: undefined,
  GIT_SHALLOW_FILE: undefined,
  GIT_ATTR_SOURCE: undefined,
  GIT_INTERNAL_SUPER_PREFIX: undefined,
  GIT_IMPLICIT_WORK_TREE: undefined,
  GIT_LITERAL_PATHSPECS: undefined,
  GIT_GLOB_PATHSPECS: undefined,
  GIT_NOGLOB_PATHSPECS: undefined,
  GIT_ICASE_PATHSPECS: undefined,
  GIT_EXTERNAL_DIFF: undefined,
  GIT_TRACE: undefined,
  GIT_OPTIONAL_LOCKS: '0',
  GIT_TERMINAL_PROMPT: '0',
  GIT_ALLOW_PROTOCOL: 'none',
  GIT_NO_LAZY_FETCH: '1',
  GIT_NO_REPLACE_OBJECTS: '1',
  // A name that cannot be there: git has advice about a file that can be read, even an empty one.
  GIT_GRAFT_FILE: '/dev/null/none',
  GIT_ADVICE: '0',
  LC_ALL: 'C',
};

/** Runs git in `folder`; an exit code other than 0 is a result. */
export async function tryGit(folder: string, args: readonly string[], options: GitOptions): Promise<ByteResult> {
  const settings = [...safeSettings, ...(options.settings ?? [])].flatMap((setting) => ['-c', setting]);
  return await runBytes('git', ['--no-pager', ...settings, ...args], {
    cwd: folder,
    signal: options.signal,
    env: { ...environment, GIT_INDEX_FILE: options.indexFile, ...objectVariables(options.objects) },
    ...(options.input === undefined ? {} : { input: options.input }),
  });
}

function objectVariables(objects: GitOptions['objects']): Readonly<Record<string, string>> {
  if (objects === undefined) return {};
  // In quotes, since a colon separates folders.
  const from = objects.from.replaceAll(/["\\]/g, '\\$&').replaceAll('\n', '\\n');
  return { GIT_OBJECT_DIRECTORY: objects.into, GIT_ALTERNATE_OBJECT_DIRECTORIES: `"${from}"` };
}

/** As {@link tryGit}, but a failure throws `seed_unsupported` with what git said. */
export async function runGit(folder: string, args: readonly string[], options: GitOptions): Promise<Buffer> {
  const result = await tryGit(folder, args, options);
  if (result.exitCode === 0) return result.stdout;
  throw gitRefused(folder, result.stderr);
}

export function gitRefused(folder: string, stderr: string): PyroError {
  const lines = stderr.trim().split('\n');
  const reasons = lines.filter((line) => !/^(hint|warning): /.test(line));
  const why = lastWords((reasons.length > 0 ? reasons : lines).join('\n'), { lines: 3, between: '; ' });
  if (stderr.includes('dubious ownership')) {
    return new PyroError('seed_unsupported', `the checkout ${folder} belongs to someone else, so git refuses it`, {
      hint: `if you trust it: git config --global --add safe.directory ${folder}`,
    });
  }
  if (/promisor|missing (blob|tree|commit|object)|lazy fetch|unable to read|bad object/.test(stderr)) {
    return new PyroError('seed_unsupported', `objects are missing in the repository of ${folder}: ${why}`, {
      hint: 'complete a partial clone with: git fetch --refetch --no-filter; or look with: git fsck',
    });
  }
  return new PyroError('seed_unsupported', `git cannot read the checkout ${folder}: ${why}`, {
    hint: `look with: git -C ${folder} status`,
  });
}
