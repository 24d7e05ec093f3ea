// Whether the value of a secret is on a disk that is about to leave, even in what is left of deleted files.
import { open } from 'node:fs/promises';
import { dataExtents } from '../../machine/layers.ts';
import type { SecretSet } from '../../secrets/secret-set.ts';
import { PyroError } from '../../shared/errors.ts';
import { mebibyte } from '../../shared/units.ts';

const chunkBytes = 4 * mebibyte;

/** Reads a raw image, without its holes. Throws `secret_in_output`. */
export async function assertCleanDisk(image: string, secrets: SecretSet, signal: AbortSignal): Promise<void> {
  const extents = await dataExtents(image, signal);
  const file = await open(image, 'r');
  try {
    const chunk = Buffer.alloc(chunkBytes);
    for (const { start, length } of extents) {
      // Bytes on either side of a hole do not belong together.
      const redactor = secrets.redactor();
      const end = start + length;
      for (let at = start; at < end; ) {
        signal.throwIfAborted();
        const { bytesRead } = await file.read(chunk, 0, Math.min(chunkBytes, end - at), at);
        if (bytesRead === 0) break;
        redactor.push(chunk.subarray(0, bytesRead));
        if (redactor.hasFound) throw found();
        at += bytesRead;
      }
      redactor.end();
      if (redactor.hasFound) throw found();
    }
  } finally {
    await file.close();
  }
}

function found(): PyroError {
  return new PyroError('secret_in_output', 'the disk contains the value of a secret', {
    hint: 'export its files with format tar: path selects what goes, and files that contain a secret are named',
  });
}
