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

/** Value for a Basic header, or undefined for anonymous access. */
export async function findCredentials(registry: string, signal: AbortSignal): Promise<string | undefined> {
  const folder = readVariable('DOCKER_CONFIG') ?? join(homedir(), '.docker');
  const config = await readJson(join(folder, 'config.json'), configSchema).catch(() => undefined);
  if (config === undefined) return undefined;
  const names =
    registry === 'docker.io' ? ['https://index.docker.io/v1/', 'docker.io'] : [registry, `https://${registry}`];
  for (const name of names) {
    const helper = config.credHelpers?.[name] ?? config.credsStore;
    if (helper !== undefined && /^[a-z0-9-]+$/.test(helper)) {
      const result = await tryCommand(`docker-credential-${helper}`, ['get'], {
        input: name,
        signal,
        timeoutMs: 10_000,
      }).catch(() => undefined);
      const parsed = helperSchema.safeParse(parseJson(result?.stdout ?? ''));
      if (parsed.success) return Buffer.from(`${parsed.data.Username}:${parsed.data.Secret}`).toString('base64');
    }
    const auth = config.auths?.[name]?.auth;
    if (auth !== undefined && auth !== '') return auth;
  }
  return undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A helper without an entry prints a sentence.
    return undefined;
  }
}
