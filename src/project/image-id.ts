// The mark of one project image: whatever is kept for it, such as a guest saved with it mounted, names it by this.
import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { projectDiskBytes } from './project-types.ts';

const idBytes = 16;
/** In the padding behind the squashfs image, which nothing of a guest reads */
const idOffset = projectDiskBytes - idBytes;

/**
 * Marks a finished image. The key of a project does not do: the same project packed again, with its files in another
 * order, has other bytes at most places.
 */
export async function markImage(path: string): Promise<void> {
  await using file = await open(path, 'r+');
  await file.write(randomBytes(idBytes), 0, idBytes, idOffset);
}

/** The image's mark, 32 hexadecimal digits; undefined for one that has none or is not there. */
export async function readImageId(path: string): Promise<string | undefined> {
  try {
    await using file = await open(path, 'r');
    const { buffer, bytesRead } = await file.read(Buffer.alloc(idBytes), 0, idBytes, idOffset);
    return bytesRead < idBytes || buffer.every((byte) => byte === 0) ? undefined : buffer.toString('hex');
  } catch {
    // Who needs the image itself meets the reason.
    return undefined;
  }
}
