// Registry credentials as `docker login` left them: in the configuration file or in a credential helper.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { tryCommand } from '../system/command.ts';
import { readVariable } from '../system/environment-variables.ts';
import { readJson } from '../system/files.ts';

const configSchema = z.object({
  auths: z
    .record(z.string(), z.object({ auth: z.string().optional(), identitytoken: z.string().optional() }))
    .optional(),
  credHelpers: z.record(z.string(), z.string()).optional(),
  credsStore: z.string().optional(),
});
const helperSchema = z.object({ Username: z.string(), Secret: z.string() });
/** User name by which a helper marks its secret as a token. */
const tokenUser = '<token>';

export interface Credentials {
  /** Value for a Basic header */
  readonly basic: string | undefined;
  /** Token to be exchanged at the token server */
  readonly identityToken: string | undefined;
}

/** Credentials for a registry, or undefined for anonymous access. */
export async function findCredentials(registry: string, signal: AbortSignal): Promise<Credentials | undefined> {
  const folder = readVariable('DOCKER_CONFIG') ?? join(readVariable('HOME') ?? homedir(), '.docker');
  // A configuration that does not parse is docker's affair; a public image needs none.
  const config = await readJson(join(folder, 'config.json'), configSchema).catch(() => undefined);
  if (config === undefined) return undefined;
  for (const name of namesOf(registry)) {
    const helper = config.credHelpers?.[name] ?? config.credsStore;
    const helped = helper === undefined ? undefined : await askHelper(helper, name, signal);
    if (helped !== undefined) return helped;
    const { auth, identitytoken: token } = config.auths?.[name] ?? {};
    const identityToken = token === '' ? undefined : token;
    const basic = auth !== undefined && /^[A-Za-z0-9+/]+=*$/.test(auth) ? auth : undefined;
    if (identityToken !== undefined || basic !== undefined) return { basic, identityToken };
  }
  return undefined;
}

function namesOf(registry: string): string[] {
  if (registry === 'docker.io' || registry === 'index.docker.io') return ['https://index.docker.io/v1/', 'docker.io'];
  return [
    registry,
    `https://${registry}`,
    `https://${registry}/`,
    `https://${registry}/v1/`,
    `https://${registry}/v2/`,
  ];
}

async function askHelper(helper: string, name: string, signal: AbortSignal): Promise<Credentials | undefined> {
  if (!/^[a-z0-9][a-z0-9._-]*$/.test(helper)) return undefined;
  const result = await tryCommand(`docker-credential-${helper}`, ['get'], {
    input: name,
    signal,
    timeoutMs: 10_000,
  }).catch(() => undefined);
  signal.throwIfAborted();
  const parsed = helperSchema.safeParse(parseJson(result?.stdout ?? ''));
  if (!parsed.success) return undefined;
  const { Username: user, Secret: secret } = parsed.data;
  if (user === tokenUser) return { basic: undefined, identityToken: secret };
  return { basic: Buffer.from(`${user}:${secret}`).toString('base64'), identityToken: undefined };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A helper without an entry prints a sentence.
    return undefined;
  }
}
