// Getting an environment: from a registry, or from Debian packages where that is possible and the registry is not reached.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { isPyroError, PyroError } from '../shared/errors.ts';
import { hintCall } from '../shared/hint-words.ts';
import type { OnProgress } from '../shared/progress.ts';
import { acquireLock } from '../system/lock.ts';
import { type CatalogueEntry, catalogue, findEntry } from './catalogue.ts';
import { pullImage } from './image.ts';
import { buildFromPackages } from './packages.ts';
import { waitForPrune } from './prune.ts';
import { parseReference } from './reference.ts';
import { type HttpLimits, usualLimits } from './registry-http.ts';
import { canonicalName, type Environment, locksFolder, resolveEnvironment, type Store } from './store.ts';

export type PullSource = 'auto' | 'registry' | 'packages';

export interface PullRequest {
  readonly store: Store;
  readonly name: string;
  readonly source: PullSource;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
  /** How long a registry may take; the usual when absent */
  readonly limits?: HttpLimits;
}

export interface PullOutcome {
  readonly environment: Environment;
  readonly outcome: 'pulled' | 'built' | 'up_to_date' | 'changed';
  readonly previousDigest: string | undefined;
  /** What the user should know, such as why packages were used */
  readonly note: string | undefined;
}

const lockWaitMs = 900_000;

/** Gets or refreshes an environment; two processes that want the same one do the work once. */
export async function pullEnvironment(request: PullRequest): Promise<PullOutcome> {
  try {
    return await pullLocked(request);
  } catch (error) {
    // However deep the work was, the caller sees one kind of cancellation.
    if (!request.signal.aborted || isPyroError(error, 'cancelled')) throw error;
    const { reason } = request.signal;
    throw isPyroError(reason)
      ? reason
      : new PyroError('cancelled', `the pull of ${request.name} was cancelled`, { cause: reason });
  }
}

async function pullLocked(request: PullRequest): Promise<PullOutcome> {
  const { store, name, source, signal, onProgress } = request;
  const entry = findEntry(name);
  const key = createHash('sha256').update(canonicalName(name)).digest('hex').slice(0, 16);
  let waited = false;
  await using _lock = await acquireLock(join(locksFolder(store), `pull-${key}`), {
    signal,
    waitMs: lockWaitMs,
    onWait: (holder) => {
      waited = true;
      onProgress({ phase: 'wait', message: `waiting for ${holder}, which is pulling ${name}` });
    },
  });
  await waitForPrune(store, signal);
  const previous = await resolveEnvironment(store, name).catch((error: unknown) => {
    if (isPyroError(error, 'environment_damaged')) return undefined;
    throw error;
  });
  if (waited && previous !== undefined) {
    return { environment: previous, outcome: 'up_to_date', previousDigest: previous.digest, note: undefined };
  }
  if (source === 'packages') return await build(request, requireBuildable(name, entry), previous, undefined);
  if (entry !== undefined && entry.reference === undefined) {
    if (source === 'registry') {
      throw new PyroError('environment_unknown', `no registry has ${name}: it is only built from Debian packages`, {
        hint: `pull it with: ${hintCall('env.pull', { environment: name, source: 'packages' })}`,
      });
    }
    return await build(request, requireBuildable(name, entry), previous, undefined);
  }
  try {
    return await pull(request, entry?.reference ?? name, previous);
  } catch (error) {
    // Behind a company's proxy or a download limit the registry is as good as away.
    const isAway = isPyroError(error, 'registry_unreachable', 'registry_denied', 'registry_error');
    if (source === 'registry' || !isBuildable(entry) || !isAway) throw error;
    const note = `${error.message}; built from Debian packages instead`;
    onProgress({ phase: 'fallback', message: `${error.message}; building from Debian packages instead` });
    return await build(request, entry, previous, note);
  }
}

async function pull(request: PullRequest, reference: string, previous: Environment | undefined): Promise<PullOutcome> {
  const environment = await pullImage({
    store: request.store,
    name: request.name,
    reference: parseReference(reference),
    known: previous,
    signal: request.signal,
    onProgress: request.onProgress,
    limits: request.limits ?? usualLimits,
  });
  const outcome = previous === undefined ? 'pulled' : previous.digest === environment.digest ? 'up_to_date' : 'changed';
  return { environment, outcome, previousDigest: previous?.digest, note: undefined };
}

type Buildable = CatalogueEntry & { readonly packages: readonly string[] };

async function build(
  request: PullRequest,
  entry: Buildable,
  previous: Environment | undefined,
  note: string | undefined,
): Promise<PullOutcome> {
  const environment = await buildFromPackages(request.store, entry, request.signal, request.onProgress);
  return { environment, outcome: 'built', previousDigest: previous?.digest, note };
}

function isBuildable(entry: CatalogueEntry | undefined): entry is Buildable {
  return entry?.packages !== undefined;
}

function requireBuildable(name: string, entry: CatalogueEntry | undefined): Buildable {
  if (isBuildable(entry)) return entry;
  throw new PyroError('environment_unknown', `${name} cannot be built from packages`, {
    hint: `${catalogue.flatMap((each) => (each.packages === undefined ? [] : [each.name])).join(', ')} can; others come from a registry`,
  });
}
