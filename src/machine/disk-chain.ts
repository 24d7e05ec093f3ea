// What a disk stands on, by its own words: written by a QEMU that a guest may have taken over, so it may name few files.
import { open, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { PyroError } from '../shared/errors.ts';

const mostLayers = 256;
/** Bytes of the header that are read, up to and with the features that a reader has to know */
const headerBytes = 80;
/** The content lies in another file, which an extension of the header names */
const externalData = 4n;

/**
 * Files that a disk stands on, in their order. They lie beside it, or are disks of templates in the given cache. Throws
 * `state_damaged` for a disk that names any other.
 */
export async function filesBelow(disk: string, cacheFolder?: string): Promise<string[]> {
  const files: string[] = [];
  for (let path = disk; files.length <= mostLayers; ) {
    const name = await nameBelow(path);
    if (name === undefined) return files;
    if (!/^[\w.-]+$/.test(name) && !(await isTemplateDisk(name, cacheFolder))) throw foreignFile(path);
    path = resolve(dirname(path), name);
    files.push(path);
  }
  throw foreignFile(disk);
}

async function isTemplateDisk(path: string, cacheFolder: string | undefined): Promise<boolean> {
  if (cacheFolder === undefined || !isAbsolute(path)) return false;
  const place = await Promise.all([path, join(cacheFolder, 'templates')].map((each) => realpath(each).catch(() => '')));
  const [file = '', folder = ''] = place;
  return basename(file) === 'disk.qcow2' && folder !== '' && dirname(dirname(file)) === folder;
}

function foreignFile(path: string): PyroError {
  return new PyroError('state_damaged', `${path} stands on a file that is none of its guest`, {
    hint: 'it was changed from outside, or by a guest that broke out of its machine; delete the workspace',
  });
}

/** Name of the file below, from the header of a qcow2 image; undefined for one that stands alone. */
export async function nameBelow(path: string): Promise<string | undefined> {
  const file = await open(path, 'r');
  try {
    const header = Buffer.alloc(headerBytes);
    await file.read(header, 0, header.length, 0);
    if (header.toString('latin1', 0, 4) !== 'QFI\u00fb') return undefined;
    if (header.readUInt32BE(4) >= 3 && (header.readBigUInt64BE(72) & externalData) !== 0n) throw foreignFile(path);
    const [offset, length] = [header.readBigUInt64BE(8), header.readUInt32BE(16)];
    if (offset === 0n || length === 0) return undefined;
    if (length > 1023) throw foreignFile(path);
    const name = Buffer.alloc(length);
    await file.read(name, 0, length, offset);
    return name.toString('utf8');
  } finally {
    await file.close();
  }
}
