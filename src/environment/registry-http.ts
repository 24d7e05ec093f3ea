// HTTP towards a registry: deadlines, retries with growing pauses, and bounded answers.
import { setTimeout as sleep } from 'node:timers/promises';
import { isPyroError, messageOf, PyroError } from '../shared/errors.ts';

/** How long a registry may take. */
export interface HttpLimits {
  /** Wait for the start of an answer, and for each next piece of a document, `ms` */
  readonly answerMs: number;
  /** Wait for the next piece of a layer, `ms` */
  readonly idleMs: number;
  /** Pause before the second try, doubled before each further one, `ms` */
  readonly pauseMs: number;
}

export const usualLimits: HttpLimits = { answerMs: 10_000, idleMs: 15_000, pauseMs: 200 };
export const tries = 4;
const longestPauseMs = 10_000;

export interface HttpRequest {
  readonly url: URL | string;
  /** Registry for messages */
  readonly registry: string;
  readonly signal: AbortSignal;
  readonly limits: HttpLimits;
  readonly headers?: Readonly<Record<string, string>>;
  /** Form to post; without it the request is a GET */
  readonly form?: URLSearchParams;
}

/** A transfer that broke after it had begun: the same request may well succeed now. */
export class BrokenTransfer extends Error {
  override name = 'BrokenTransfer';
}

/** A transfer that stopped coming: whoever waits once more may wait as long again. */
export class SilentTransfer extends BrokenTransfer {
  override name = 'SilentTransfer';
}

/** Waits before try number `attempt + 1`. */
export async function pauseAfter(attempt: number, limits: HttpLimits, signal: AbortSignal): Promise<void> {
  await sleep(Math.min(limits.pauseMs * 2 ** (attempt - 1), longestPauseMs), undefined, { signal });
}

/** The answer of any status; 429 and 5xx only when all tries gave one. Throws `registry_unreachable`. */
export async function send(request: HttpRequest): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    const response = await sendOnce(request, attempt);
    if (response === undefined) {
      await pauseAfter(attempt, request.limits, request.signal);
      continue;
    }
    if ((response.status !== 429 && response.status < 500) || attempt >= tries) return response;
    await response.body?.cancel();
    const askedMs = Number(response.headers.get('retry-after') ?? Number.NaN) * 1000;
    if (!(askedMs > 0)) await pauseAfter(attempt, request.limits, request.signal);
    else await sleep(Math.min(askedMs, longestPauseMs), undefined, { signal: request.signal });
  }
}

/** One request; undefined asks the caller to try again. */
async function sendOnce(request: HttpRequest, attempt: number): Promise<Response | undefined> {
  const deadline = new AbortController();
  const { answerMs } = request.limits;
  const timer = setTimeout(() => deadline.abort(), answerMs);
  try {
    // fetch itself drops the Authorization header when a redirect leads to another origin.
    const response = await fetch(request.url, {
      headers: { ...request.headers },
      signal: AbortSignal.any([request.signal, deadline.signal]),
      ...(request.form === undefined ? {} : { method: 'POST', body: request.form }),
    });
    await refuseDowngrade(request, response);
    return response;
  } catch (cause) {
    request.signal.throwIfAborted();
    if (isPyroError(cause)) throw cause;
    if (!deadline.signal.aborted && isReset(cause) && attempt < tries) return undefined;
    const why = deadline.signal.aborted ? `no answer within ${answerMs / 1000} s` : reasonOf(cause);
    throw unreachable(request.registry, why, cause);
  } finally {
    clearTimeout(timer);
  }
}

/** What came encrypted at first must not continue in clear, where others could change it. */
async function refuseDowngrade({ url, registry }: HttpRequest, { url: last, body }: Response): Promise<void> {
  if (!String(url).startsWith('https:') || !last.startsWith('http:')) return;
  await body?.cancel();
  throw new PyroError('registry_error', `${registry} redirects from https to ${last.slice(0, 200)}`, {
    hint: 'pull the image from another registry with: pyro env pull HOST/NAME:TAG',
  });
}

/** The whole answer as one document. Throws `image_invalid` when it is longer than `limit`. */
export async function readDocument(
  response: Response,
  limit: number,
  wait: { readonly signal: AbortSignal; readonly limits: HttpLimits },
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of bodyOf(response, wait.signal, wait.limits.answerMs)) {
    size += chunk.length;
    if (size > limit) {
      throw new PyroError('image_invalid', `the registry sent a document of more than ${limit} bytes`, {
        hint: 'the reference may not name an image; check it, or pull another one with: pyro env pull NAME',
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Pieces of the answer. Throws {@link BrokenTransfer} when the connection breaks or stays silent. */
export async function* bodyOf(response: Response, signal: AbortSignal, idleMs: number): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  aborted.catch(() => undefined);
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    for (;;) {
      signal.throwIfAborted();
      const { promise: silent, reject: giveUp } = Promise.withResolvers<never>();
      const timer = setTimeout(() => giveUp(new SilentTransfer(`no data for ${idleMs / 1000} s`)), idleMs);
      try {
        const { done, value } = await Promise.race([reader.read(), silent, aborted]);
        if (done) return;
        yield value;
      } catch (cause) {
        signal.throwIfAborted();
        throw cause instanceof SilentTransfer ? cause : new BrokenTransfer(reasonOf(cause), { cause });
      } finally {
        clearTimeout(timer);
      }
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    await reader.cancel().catch(() => undefined);
  }
}

export function unreachable(registry: string, why: string, cause: unknown): PyroError {
  return new PyroError('registry_unreachable', `registry ${registry} cannot be reached: ${why}`, {
    hint: 'check the network and the name; pyro env pull debian:12 --source packages builds without a registry, and any other registry works too: pyro env pull HOST/NAME:TAG',
    cause,
  });
}

function isReset(error: unknown): boolean {
  return /ECONNRESET|EPIPE|UND_ERR_SOCKET|other side closed/.test(reasonOf(error));
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (!(cause instanceof Error)) return messageOf(error);
  return 'code' in cause && typeof cause.code === 'string' ? `${cause.code} ${cause.message}`.trim() : cause.message;
}
