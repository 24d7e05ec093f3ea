// A clean clone as the project: made once, refreshed on demand, without the credentials that its address may hold.
import { createHash } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isPyroError, messageOf, PyroError } from '../shared/errors.ts';
import type { OnProgress } from '../shared/progress.ts';
import { runCommand, tryCommand } from '../system/command.ts';
import { exists, temporaryName } from '../system/files.ts';
import { makeFolder } from '../system/folders.ts';
import { noOtherRepository } from '../system/git-variables.ts';
import { acquireLock } from '../system/lock.ts';

export interface Repository {
  readonly path: string;
  /** Address without credentials, and the ref when one was given */
  readonly origin: string;
  /** Why it may be older than the remote one; absent when it was refreshed */
  readonly note: string | undefined;
}

const cloneMs = 600_000;
const fetchMs = 60_000;
const lockMs = 600_000;
/** Nothing asks for a password, runs a hook, or takes a transport that is a program. */
const settings = [
  '-c',
  'core.hooksPath=/dev/null',
  '-c',
  'protocol.ext.allow=never',
  '-c',
  'advice.detachedHead=false',
];
const env = {
  GIT_TERMINAL_PROMPT: '0',
  GIT_ASKPASS: 'true',
  GIT_OPTIONAL_LOCKS: '0',
  ...noOtherRepository,
};

/** Clones or refreshes, then checks the ref out. Throws `project_missing` when there is nothing to use. */
export async function obtainRepository(
  cache: string,
  url: string,
  ref: string | undefined,
  context: { readonly signal: AbortSignal; readonly onProgress: OnProgress },
): Promise<Repository> {
  if (url.startsWith('-') || ref?.startsWith('-') === true) {
    throw new PyroError('project_missing', 'git would take an address or ref that begins with a hyphen as an option');
  }
  const shown = withoutCredentials(url);
  const origin = ref === undefined ? shown : `${shown}@${ref}`;
  const name = createHash('sha256')
    .update(`${url}\n${ref ?? ''}`)
    .digest('hex')
    .slice(0, 16);
  const path = join(cache, 'repos', name);
  await makeFolder(join(cache, 'repos'));
  await using lock = await acquireLock(`${path}.lock`, { signal: context.signal, waitMs: lockMs });
  void lock;
  const git = async (args: readonly string[], timeoutMs: number): Promise<string> =>
    (await runCommand('git', [...settings, ...args], { signal: context.signal, timeoutMs, env })).stdout;
  try {
    context.onProgress({ phase: 'clone', message: `cloning ${origin}` });
    let note: string | undefined;
    if (await exists(path)) note = await refresh(git, path, url, shown);
    else await clone(git, path, url, shown);
    const target = await resolveRef(path, ref, context.signal);
    await git(['-C', path, 'checkout', '--quiet', '--force', '--detach', target], fetchMs);
    await git(['-C', path, 'clean', '-ffdxq'], fetchMs);
    return { path, origin, note };
  } catch (cause) {
    if (!isPyroError(cause, 'tool_failed', 'deadline_exceeded')) throw cause;
    throw new PyroError('project_missing', `${origin} cannot be used: ${redact(cause.message, url, shown)}`, {
      hint: 'try git clone with the same address on this host, then start the server with that --repo-url and --repo-ref',
    });
  }
}

type Git = (args: readonly string[], timeoutMs: number) => Promise<string>;

async function clone(git: Git, path: string, url: string, shown: string): Promise<void> {
  const draft = temporaryName(path);
  try {
    await git(['clone', '--quiet', '--no-checkout', '--', url, draft], cloneMs);
    await git(['-C', draft, 'remote', 'set-url', 'origin', shown], fetchMs);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
}

/** A remote that does not answer costs the newest commits, not the work. */
async function refresh(git: Git, path: string, url: string, shown: string): Promise<string | undefined> {
  try {
    const branches = '+refs/heads/*:refs/remotes/origin/*';
    await git(['-C', path, 'fetch', '--quiet', '--prune', '--tags', '--force', '--', url, branches], fetchMs);
    return undefined;
  } catch (error) {
    if (!isPyroError(error, 'tool_failed', 'deadline_exceeded')) throw error;
    return `${shown} could not be refreshed, so the last clone is used: ${redact(messageOf(error), url, shown)}`;
  }
}

async function resolveRef(path: string, ref: string | undefined, signal: AbortSignal): Promise<string> {
  const candidates = ref === undefined ? ['origin/HEAD', 'origin/main', 'origin/master'] : [`origin/${ref}`, ref];
  for (const candidate of candidates) {
    const args = [...settings, '-C', path, 'rev-parse', '--quiet', '--verify', `${candidate}^{commit}`];
    const { stdout, exitCode } = await tryCommand('git', args, { signal, timeoutMs: fetchMs, env });
    if (exitCode === 0) return stdout.trim();
  }
  throw new PyroError('project_missing', `the repository has no ${ref ?? 'default branch'}`, {
    hint: 'give --repo-ref a branch, a tag or a commit of the repository',
  });
}

function withoutCredentials(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, '$1');
}

function redact(text: string, url: string, shown: string): string {
  const credentials = /^[a-z][a-z0-9+.-]*:\/\/([^/@]*)@/i.exec(url)?.[1];
  const clean = text.replaceAll(url, shown);
  return credentials === undefined || credentials === '' ? clean : clean.replaceAll(credentials, '…');
}
