// Secrets between daemons: a file for each workspace on a file system that lives in memory, never on a disk.
import { rm, statfs } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { PyroError } from '../shared/errors.ts';
import { readJson, writeJson } from '../system/files.ts';
import { ensurePrivateFolder } from '../system/paths.ts';
import { SecretSet } from './secret-set.ts';

const fileSchema = z.object({
  version: z.literal(1),
  secrets: z.array(z.object({ name: z.string(), source: z.enum(['literal', 'file']), value: z.base64() })),
});

/** Magic numbers of tmpfs and ramfs, from linux/magic.h */
const memoryFileSystems = [0x01021994, 0x858458f6];

export class SecretStore {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Below the runtime folder where that is in memory, else below /dev/shm. Throws `secret_store_missing`. */
  static async open(runtimeFolder: string, scope: string): Promise<SecretStore> {
    const candidates = [join(runtimeFolder, 'secrets'), join('/dev/shm', `pyro-${userInfo().uid}`, scope)];
    for (const folder of candidates) {
      const parent = folder === candidates[0] ? runtimeFolder : '/dev/shm';
      if (!(await isInMemory(parent))) continue;
      if (parent === '/dev/shm') await ensurePrivateFolder(join('/dev/shm', `pyro-${userInfo().uid}`));
      return new SecretStore(await ensurePrivateFolder(folder));
    }
    throw new PyroError('secret_store_missing', 'this machine has no in-memory file system to keep secrets in', {
      hint: 'set XDG_RUNTIME_DIR to a folder on a tmpfs',
    });
  }

  async save(id: string, set: SecretSet): Promise<void> {
    const secrets = set.entries().map(({ name, source, value }) => ({ name, source, value: value.toString('base64') }));
    await writeJson(this.#path(id), { version: 1, secrets });
  }

  /** The secrets of a workspace; undefined when a reboot has taken them. */
  async load(id: string): Promise<SecretSet | undefined> {
    const file = await readJson(this.#path(id), fileSchema);
    return file === undefined
      ? undefined
      : new SecretSet(file.secrets.map((each) => ({ ...each, value: Buffer.from(each.value, 'base64') })));
  }

  async remove(id: string): Promise<void> {
    await rm(this.#path(id), { force: true });
  }

  #path(id: string): string {
    return join(this.#folder, `${id}.json`);
  }
}

async function isInMemory(path: string): Promise<boolean> {
  try {
    return memoryFileSystems.includes((await statfs(path)).type);
  } catch {
    // Not there: no place for secrets either.
    return false;
  }
}
