// A client of the OCI distribution protocol: manifests and blobs with authentication, deadlines and retries.
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { messageOf, PyroError } from '../shared/errors.ts';
import { findCredentials } from './credentials.ts';
import { type ImageReference, registryOrigin } from './reference.ts';

const answerDeadlineMs = 10_000;
const tries = 4;
const tokenSchema = z.object({ token: z.string().optional(), access_token: z.string().optional() });

export class Registry {
  readonly #reference: ImageReference;
  readonly #signal: AbortSignal;
  #authorization: string | undefined;

  constructor(reference: ImageReference, signal: AbortSignal) {
    this.#reference = reference;
    this.#signal = signal;
  }

  /** Manifest by tag or digest, at most `limit` bytes. */
  async manifest(name: string, accept: string, limit: number): Promise<{ bytes: Buffer; type: string }> {
    const response = await this.#get(`manifests/${name}`, { accept });
    const bytes = await readLimited(response, limit);
    return { bytes, type: (response.headers.get('content-type') ?? '').split(';')[0]?.trim() ?? '' };
  }

  /** Blob from a byte offset on; the answer's status tells whether the offset was honoured (206). */
  blob(digest: string, offset: number): Promise<Response> {
    return this.#get(`blobs/${digest}`, offset > 0 ? { range: `bytes=${offset}-` } : {});
  }

  async #get(path: string, headers: Record<string, string>): Promise<Response> {
    const { registry, repository, canonical } = this.#reference;
    const url = `${registryOrigin(registry)}/v2/${repository}/${path}`;
    let asked = false;
    for (let attempt = 1; ; attempt++) {
      const response = await this.#fetch(url, headers, attempt);
      if (response === undefined) continue;
      if (response.ok) return response;
      await response.body?.cancel();
      const challenge = response.headers.get('www-authenticate');
      if (response.status === 401 && challenge !== null && !asked) {
        asked = true;
        this.#authorization = await this.#authorize(challenge);
        continue;
      }
      if (response.status === 404) {
        throw new PyroError('image_not_found', `${registry} has no ${canonical}`, {
          hint: 'check the name and the tag; pyro env list shows the catalogue',
        });
      }
      if (response.status === 401 || response.status === 403) {
        throw new PyroError('registry_denied', `${registry} refuses access to ${canonical}`, {
          hint: `check the name, or log in with: docker login ${registry}`,
        });
      }
      if ((response.status !== 429 && response.status < 500) || attempt >= tries) {
        throw new PyroError('registry_error', `${registry} answered ${response.status} for ${canonical}`, {
          hint: 'try again later',
        });
      }
      await sleep(200 * 2 ** attempt, undefined, { signal: this.#signal });
    }
  }

  /** One request; undefined asks the caller to try again. */
  async #fetch(url: string, headers: Record<string, string>, attempt: number): Promise<Response | undefined> {
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), answerDeadlineMs);
    try {
      // fetch itself drops the Authorization header when a redirect leads to another origin.
      return await fetch(url, {
        headers: { ...headers, ...(this.#authorization === undefined ? {} : { authorization: this.#authorization }) },
        signal: AbortSignal.any([this.#signal, deadline.signal]),
      });
    } catch (cause) {
      this.#signal.throwIfAborted();
      if (!deadline.signal.aborted && isReset(cause) && attempt < tries) {
        await sleep(200 * 2 ** attempt, undefined, { signal: this.#signal });
        return undefined;
      }
      const why = deadline.signal.aborted ? `no answer within ${answerDeadlineMs / 1000} s` : reasonOf(cause);
      throw new PyroError('registry_unreachable', `registry ${this.#reference.registry} cannot be reached: ${why}`, {
        hint: 'check the network and the name; debian:12, debian:12-base and debian:12-build can be built without a registry: pyro env pull debian:12 --source packages',
        cause,
      });
    } finally {
      clearTimeout(timer);
    }
  }

  async #authorize(challenge: string): Promise<string> {
    const basic = await findCredentials(this.#reference.registry, this.#signal);
    const scheme = challenge.split(' ')[0]?.toLowerCase();
    if (scheme === 'basic') {
      if (basic !== undefined) return `Basic ${basic}`;
      throw new PyroError('registry_denied', `${this.#reference.registry} wants a log-in`, {
        hint: `log in with: docker login ${this.#reference.registry}`,
      });
    }
    const field = (name: string): string | undefined => new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1];
    const realm = field('realm');
    if (scheme !== 'bearer' || realm === undefined || !/^https?:\/\//.test(realm)) {
      throw new PyroError('registry_error', `${this.#reference.registry} asks for an unknown kind of authentication`);
    }
    const url = new URL(realm);
    const service = field('service');
    if (service !== undefined) url.searchParams.set('service', service);
    url.searchParams.set('scope', field('scope') ?? `repository:${this.#reference.repository}:pull`);
    const response = await fetch(url, {
      headers: basic === undefined ? {} : { authorization: `Basic ${basic}` },
      signal: AbortSignal.any([this.#signal, AbortSignal.timeout(answerDeadlineMs)]),
    });
    const parsed = tokenSchema.safeParse(
      response.ok ? JSON.parse((await readLimited(response, 1 << 20)).toString('utf8')) : {},
    );
    const token = parsed.success ? (parsed.data.token ?? parsed.data.access_token) : undefined;
    if (token === undefined) {
      throw new PyroError(
        'registry_denied',
        `${this.#reference.registry} gives no token for ${this.#reference.canonical}`,
        {
          hint: `check the name, or log in with: docker login ${this.#reference.registry}`,
        },
      );
    }
    return `Bearer ${token}`;
  }
}

async function readLimited(response: Response, limit: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > limit)
      throw new PyroError('image_invalid', 'the registry sent a longer document than the format allows');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function isReset(error: unknown): boolean {
  return /ECONNRESET|EPIPE|UND_ERR_SOCKET|other side closed/.test(reasonOf(error));
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Error)
    return 'code' in cause && typeof cause.code === 'string' ? `${cause.code} ${cause.message}`.trim() : cause.message;
  return messageOf(error);
}
