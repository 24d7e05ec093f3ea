// Which settings of the host's repository go into the guest's: those that decide what `git status` says, no secrets.
import { isUtf8 } from 'node:buffer';
import { PyroError } from '../shared/errors.ts';
import { projectGuestFolder } from './project-types.ts';

/** Settings by full name, all values in order; bytes as latin1. */
export type GitConfig = ReadonlyMap<string, readonly string[]>;

export interface ScopedConfig {
  readonly config: GitConfig;
  /** Settings that the repository itself makes, not the user or the machine */
  readonly own: GitConfig;
}

/** Parses `git config --list -z --show-scope`. */
export function parseConfig(output: Buffer): ScopedConfig {
  const config = new Map<string, string[]>();
  const own = new Map<string, string[]>();
  const parts = output.toString('latin1').split('\0');
  for (let at = 0; at + 1 < parts.length; at += 2) {
    const scope = parts[at];
    const record = parts[at + 1] ?? '';
    const end = record.indexOf('\n');
    const name = end < 0 ? record : record.slice(0, end);
    const value = end < 0 ? 'true' : record.slice(end + 1);
    config.set(name, [...(config.get(name) ?? []), value]);
    if (scope === 'local' || scope === 'worktree') own.set(name, [...(own.get(name) ?? []), value]);
  }
  return { config, own };
}

export function lastValue(config: GitConfig, name: string): string | undefined {
  return config.get(name)?.at(-1);
}

/** Switches off every filter of the repository: their programs would run while git compares contents. Throws `seed_unsupported`. */
export function filterOverrides(config: GitConfig): string[] {
  const overrides: string[] = [];
  for (const name of config.keys()) {
    if (!/^filter\..*\.(clean|smudge|process|required)$/s.test(name)) continue;
    const bytes = Buffer.from(name, 'latin1');
    // `-c` ends a name at its first `=`, and an argument is UTF-8: such a filter would stay on and run.
    if (name.includes('=') || !isUtf8(bytes)) {
      throw new PyroError(
        'seed_unsupported',
        `a filter of the checkout has a name that cannot be switched off: ${name}`,
        {
          hint: 'give the filter a plain name in .git/config and .gitattributes',
        },
      );
    }
    overrides.push(`${bytes.toString('utf8')}=${name.endsWith('.required') ? 'false' : ''}`);
  }
  return overrides;
}

/** Settings that change what status and diff say about the same files. */
const copied = [
  'core.filemode',
  'core.autocrlf',
  'core.eol',
  'core.ignorecase',
  'core.symlinks',
  'core.sparsecheckout',
  'core.sparsecheckoutcone',
  'core.abbrev',
  'status.showuntrackedfiles',
  'status.renames',
  'status.renamelimit',
  'diff.renames',
  'diff.renamelimit',
  'diff.ignoresubmodules',
];

/** Who commits where the host's git names nobody either. */
const neutralIdentity = { name: 'pyro', email: 'pyro@localhost' } as const;

export interface ConfigPlan {
  readonly objectFormat: string;
  readonly branch: string | undefined;
  /** Work tree relative to the git directory, for a submodule */
  readonly workTree: string | undefined;
  /** Attributes file relative to the project, when the host's user has one */
  readonly attributesPath: string | undefined;
}

/** Text of the guest repository's own config, as latin1. */
export function guestConfig(config: GitConfig, plan: ConfigPlan): string {
  const isSha256 = plan.objectFormat !== 'sha1';
  const lines: [string, string][] = [
    ['core.repositoryformatversion', isSha256 ? '1' : '0'],
    ['core.bare', 'false'],
    ['core.logallrefupdates', 'true'],
    // Inodes, ctimes and fractions of mtimes differ from the index in every guest; size and whole seconds do not.
    ['core.checkStat', 'minimal'],
    ['core.trustctime', 'false'],
    // Threads thrash squashfs' metadata cache: 5-7 s in place of 0.4 s.
    ['core.preloadIndex', 'false'],
  ];
  if (isSha256) lines.push(['extensions.objectFormat', plan.objectFormat]);
  // Who commits is not a secret, and a guest that knows nobody refuses every commit.
  lines.push(['user.name', lastValue(config, 'user.name') ?? neutralIdentity.name]);
  lines.push(['user.email', lastValue(config, 'user.email') ?? neutralIdentity.email]);
  for (const name of copied) {
    const value = lastValue(config, name);
    if (value !== undefined) lines.push([name, value]);
  }
  if (plan.workTree !== undefined) lines.push(['core.worktree', plan.workTree]);
  if (plan.attributesPath !== undefined)
    lines.push(['core.attributesFile', `${projectGuestFolder}/${plan.attributesPath}`]);
  const branchPrefix = plan.branch === undefined ? undefined : `branch.${plan.branch}.`;
  for (const [name, values] of config) {
    const isBranch =
      branchPrefix !== undefined &&
      name.startsWith(branchPrefix) &&
      /^(remote|merge)$/.test(name.slice(branchPrefix.length));
    const isUrl = /^(remote|submodule)\..+\.url$/s.test(name);
    if (!isBranch && !isUrl && !/^(remote\..+\.fetch|submodule\..+\.(ignore|active))$/s.test(name)) continue;
    for (const value of values) {
      const kept = isUrl || (isBranch && name.endsWith('.remote')) ? withoutCredentials(value) : value;
      if (kept !== undefined) lines.push([name, kept]);
    }
  }
  return lines.map(([name, value]) => setting(name, value)).join('');
}

/** True for a repository that may lack objects without being broken. */
export function isPartialClone(config: GitConfig): boolean {
  if (config.has('extensions.partialclone')) return true;
  return [...config.keys()].some((name) => /^remote\..*\.promisor$/s.test(name) && lastValue(config, name) !== 'false');
}

/** Settings of a repository that lacks objects of HEAD: the remote that has them is named, so that git does not call it broken. */
export function partialConfig(config: GitConfig): string {
  const named = [...config.keys()].flatMap((name) => /^remote\.(.*)\.promisor$/s.exec(name)?.[1] ?? []);
  const remote = lastValue(config, 'extensions.partialclone') ?? named[0] ?? 'origin';
  return [
    setting('core.repositoryformatversion', '1'),
    setting('extensions.partialClone', remote),
    setting(`remote.${remote}.promisor`, 'true'),
  ].join('');
}

/** The address without user names and passwords; undefined for one that names a program (`ext::…`) or cannot be told. */
export function withoutCredentials(url: string): string | undefined {
  if (/^[a-z0-9+.-]+::/i.test(url)) return undefined;
  const parts = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)([^?#]*)/i.exec(url);
  // A path or `user@host:path`: neither has room for a password, unless someone wrote one before the `@`.
  if (parts === null) return /^[^/@]*:[^/]*@/.test(url) ? undefined : url;
  const [, scheme = '', authority = '', path = ''] = parts;
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  const user = /^ssh$/i.test(scheme) && authority.includes('@') ? `${authority.split(/[:@]/)[0]}@` : '';
  return `${scheme}://${user}${host}${path}`;
}

/** One setting in the file's syntax, each with its own section header. */
export function setting(name: string, value: string): string {
  // Git has no way to write such a name, and reads no file that has one.
  if (name.includes('\n')) return '';
  const first = name.indexOf('.');
  const last = name.lastIndexOf('.');
  const section = name.slice(0, first);
  const subsection = first === last ? '' : ` "${name.slice(first + 1, last).replace(/[\\"]/g, '\\$&')}"`;
  const quoted = value.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\t', '\\t');
  return `[${section}${subsection}]\n\t${name.slice(last + 1)} = "${quoted}"\n`;
}
