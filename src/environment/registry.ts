// A client of the OCI distribution protocol: manifests and blobs of one repository.
import { PyroError } from '../shared/errors.ts';
import { type ImageReference, registryOrigin } from './reference.ts';
import { authorize } from './registry-auth.ts';
import {
  BrokenTransfer,
  type HttpLimits,
  pauseAfter,
  readDocument,
  SilentTransfer,
  send,
  tries,
  unreachable,
} from './registry-http.ts';

export class Registry {
  readonly #reference: ImageReference;
  readonly #signal: AbortSignal;
  readonly limits: HttpLimits;
  #authorization: string | undefined;

  constructor(reference: ImageReference, signal: AbortSignal, limits: HttpLimits) {
    this.#reference = reference;
    this.#signal = signal;
    this.limits = limits;
  }

  /** Manifest by tag or digest, at most `limit` bytes. */
  async manifest(name: string, accept: string, limit: number): Promise<Buffer> {
    return await this.#document(`manifests/${name}`, { accept }, limit);
  }

  /** A small blob as a whole, at most `limit` bytes. */
  async document(digest: string, limit: number): Promise<Buffer> {
    return await this.#document(`blobs/${digest}`, {}, limit);
  }

  /** Blob from a byte offset on; the status tells whether the offset was honoured (206) or is no place in it (416). */
  async blob(digest: string, offset: number, signal: AbortSignal): Promise<Response> {
    // Encoded answers would have other lengths and offsets than the blob.
    const headers = { 'accept-encoding': 'identity', ...(offset > 0 ? { range: `bytes=${offset}-` } : {}) };
    return await this.#get(`blobs/${digest}`, headers, signal);
  }

  async #document(path: string, headers: Record<string, string>, limit: number): Promise<Buffer> {
    for (let attempt = 1; ; attempt++) {
      const response = await this.#get(path, headers, this.#signal);
      try {
        return await readDocument(response, limit, { signal: this.#signal, limits: this.limits });
      } catch (error) {
        if (!(error instanceof BrokenTransfer)) throw error;
        if (attempt >= tries || error instanceof SilentTransfer)
          throw unreachable(this.#reference.registry, error.message, error);
        await pauseAfter(attempt, this.limits, this.#signal);
      }
    }
  }

  async #get(path: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
    const { registry, repository } = this.#reference;
    const url = `${registryOrigin(registry)}/v2/${repository}/${path}`;
    let wasAsked = false;
    for (;;) {
      const authorization = this.#authorization === undefined ? {} : { authorization: this.#authorization };
      const response = await send({
        url,
        registry,
        signal,
        limits: this.limits,
        headers: { ...headers, ...authorization },
      });
      if (response.ok || (response.status === 416 && headers['range'] !== undefined)) return response;
      await response.body?.cancel();
      const challenge = response.headers.get('www-authenticate');
      if (response.status !== 401 || challenge === null || wasAsked) throw this.#failure(response.status);
      // Even when a token has run out between two layers.
      wasAsked = true;
      this.#authorization = await authorize(challenge, this.#reference, { signal: this.#signal, limits: this.limits });
    }
  }

  #failure(status: number): PyroError {
    const { registry, canonical } = this.#reference;
    if (status === 404) {
      return new PyroError('image_not_found', `${registry} does not have ${canonical}`, {
        hint: 'check the name and the tag; pyro env list shows the catalogue',
      });
    }
    if (status === 401 || status === 403) {
      return new PyroError('registry_denied', `${registry} refuses access to ${canonical}`, {
        hint: `check the name, or log in with: docker login ${registry}`,
      });
    }
    return new PyroError('registry_error', `${registry} answered ${status} for ${canonical}`, {
      hint:
        status === 429
          ? `the registry limits downloads; wait, or log in with: docker login ${registry}`
          : 'try the same command again later',
      details: { status },
    });
  }
}
