// The machine's own apt sources of one Debian release, with the keys that they trust.
import { readFile } from 'node:fs/promises';
import { PyroError } from '../shared/errors.ts';
import { tryCommand } from '../system/command.ts';

const fields = '$(CODENAME) $(COMPONENT) $(REPO_URI) $(SOURCESENTRY)';

/** One-line sources of the release, as apt reads its configuration. Throws `environment_build_failed`. */
export async function findAptSources(suite: string, signal: AbortSignal): Promise<string[]> {
  const args = ['indextargets', '--format', fields, 'Created-By: Packages'];
  const { stdout, exitCode } = await tryCommand('apt-get', args, { signal, timeoutMs: 20_000 });
  const wanted = new Set([suite, `${suite}-updates`, `${suite}-security`]);
  const sources = new Set<string>();
  let hasSuite = false;
  for (const line of exitCode === 0 ? stdout.split('\n') : []) {
    const [codename = '', part, uri, ...entry] = line.split(' ');
    if (!wanted.has(codename) || part !== 'main' || uri === undefined || !/^[a-z+]+:\S+$/.test(uri)) continue;
    const key = await findKey(entry.join(' '), codename);
    sources.add(`deb ${key === undefined ? '' : `[signed-by=${key}] `}${uri} ${codename} main`);
    if (codename === suite) hasSuite = true;
  }
  if (hasSuite) return [...sources];
  throw new PyroError('environment_build_failed', `apt on this machine has no source for Debian ${suite}`, {
    hint: 'build on Debian 12, or pull it from a registry: pyro env pull debian:12 --source registry',
  });
}

/** Key file that the entry of a sources file names; apt itself does not tell. */
async function findKey(sourcesEntry: string, codename: string): Promise<string | undefined> {
  const path = sourcesEntry.replace(/:\d+$/, '');
  const text = path.startsWith('/') ? await readFile(path, 'utf8').catch(() => '') : '';
  const blocks = path.endsWith('.sources') ? text.split(/\n\s*\n/) : text.split('\n');
  for (const block of blocks) {
    const active = block
      .split('\n')
      .filter((line) => !line.trimStart().startsWith('#'))
      .join('\n');
    if (!new RegExp(`(?:^|[\\s/])${codename}(?:[\\s/]|$)`).test(active)) continue;
    const key = /^Signed-By:\s*(\/[^\s,\]]+)\s*$/im.exec(active)?.[1] ?? /\bsigned-by=(\/[^\s,\]]+)/.exec(active)?.[1];
    if (key !== undefined) return key;
  }
  return undefined;
}
