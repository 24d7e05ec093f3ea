// The answer to a registry's challenge: basic credentials, or a token from the server that the challenge names.
import { z } from 'zod';
import { PyroError } from '../shared/errors.ts';
import { type Credentials, findCredentials } from './credentials.ts';
import { type ImageReference, isLoopback } from './reference.ts';
import { BrokenTransfer, type HttpLimits, readDocument, send, unreachable } from './registry-http.ts';

const tokenSchema = z.object({ token: z.string().optional(), access_token: z.string().optional() });
const longestToken = 1024 * 1024;

interface Wait {
  readonly signal: AbortSignal;
  readonly limits: HttpLimits;
}

/** Value of the Authorization header. Throws `registry_denied`, `registry_error` or `registry_unreachable`. */
export async function authorize(challenge: string, reference: ImageReference, wait: Wait): Promise<string> {
  const { registry } = reference;
  const credentials = await findCredentials(registry, wait.signal);
  const bearer = /\bbearer\s+(.*)$/is.exec(challenge)?.[1];
  if (bearer !== undefined) return `Bearer ${await fetchToken(bearer, reference, credentials, wait)}`;
  if (!/\bbasic\b/i.test(challenge))
    throw new PyroError('registry_error', `${registry} asks for an unsupported kind of authentication`, {
      hint: 'pull the image from another registry with: pyro env pull HOST/NAME:TAG',
    });
  if (credentials?.basic !== undefined) return `Basic ${credentials.basic}`;
  throw denied(reference, `${registry} requires a login`);
}

async function fetchToken(
  challenge: string,
  reference: ImageReference,
  credentials: Credentials | undefined,
  wait: Wait,
): Promise<string> {
  const { registry, repository } = reference;
  const field = (name: string): string | undefined => {
    const match = new RegExp(`(?:^|[,\\s])${name}=(?:"([^"]*)"|([^",\\s]+))`, 'i').exec(challenge);
    return match?.[1] ?? match?.[2];
  };
  const url = tokenServer(field('realm'), registry);
  const service = field('service') ?? registry;
  const scope = field('scope') ?? `repository:${repository}:pull`;
  let form: URLSearchParams | undefined;
  if (credentials?.identityToken !== undefined) {
    const grant = { grant_type: 'refresh_token', refresh_token: credentials.identityToken };
    form = new URLSearchParams({ ...grant, service, scope, client_id: 'pyro' });
  } else {
    url.searchParams.set('service', service);
    url.searchParams.set('scope', scope);
  }
  const basic = credentials?.basic;
  const response = await send({
    url,
    registry: `${registry} (token server ${url.host})`,
    ...wait,
    headers: form !== undefined || basic === undefined ? {} : { authorization: `Basic ${basic}` },
    ...(form === undefined ? {} : { form }),
  });
  if (!response.ok) {
    await response.body?.cancel();
    if (response.status < 500 && response.status !== 429) throw denied(reference, `${registry} issues no token`);
    throw new PyroError('registry_error', `the token server of ${registry} answered ${response.status}`, {
      hint: 'try the same command again later',
    });
  }
  const parsed = tokenSchema.safeParse(parseJson(await readToken(response, registry, wait)));
  const token = parsed.success ? (parsed.data.token ?? parsed.data.access_token) : undefined;
  if (token === undefined || !/^[\x21-\x7e]+$/.test(token)) throw denied(reference, `${registry} issues no token`);
  return token;
}

async function readToken(response: Response, registry: string, wait: Wait): Promise<string> {
  try {
    return (await readDocument(response, longestToken, wait)).toString('utf8');
  } catch (error) {
    if (error instanceof BrokenTransfer) throw unreachable(registry, error.message, error);
    throw error;
  }
}

/** Credentials travel to this address, so it must be encrypted unless it and the registry are on this machine. */
function tokenServer(realm: string | undefined, registry: string): URL {
  const url = realm === undefined || !URL.canParse(realm) ? undefined : new URL(realm);
  const isLocal = isLoopback(registry) && url !== undefined && isLoopback(url.host);
  if (url !== undefined && (url.protocol === 'https:' || (url.protocol === 'http:' && isLocal))) return url;
  throw new PyroError('registry_error', `${registry} names a token server that cannot be used: ${realm ?? 'none'}`, {
    hint: 'pull the image from another registry with: pyro env pull HOST/NAME:TAG',
  });
}

function denied(reference: ImageReference, why: string): PyroError {
  return new PyroError('registry_denied', `${why} for ${reference.canonical}`, {
    hint: `check the name, or log in with: docker login ${reference.registry}`,
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The schema reports it.
    return undefined;
  }
}
