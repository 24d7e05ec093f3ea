// The start of a disk image, read by ourselves: a QEMU that a guest has taken over may have written it.
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** All that our disks say of themselves stands in their first cluster, `bytes` */
const clusterBytes = 65_536;
const longestName = 1023;
/** Bits that QEMU sets itself: not closed in order, found damaged. Others would change what the rest means */
const knownFeatures = 3n;
/** Format of the file below */
const belowFormat = 0xe2792aca;
/** The content lies in another file; the content is encrypted */
const refusedExtensions: readonly number[] = [0x44415441, 0x0537be77];

export interface DiskHeader {
  /** Name of the file below, as it stands there; undefined for a disk that stands alone */
  readonly below: string | undefined;
  /** Size that a guest sees, `bytes` */
  readonly bytes: bigint;
}

/**
 * The header of a disk in the one form that pyro makes: qcow2, whole in one file, alone or on another qcow2. Undefined for
 * every other, also for what is no regular file.
 */
export async function readDiskHeader(path: string): Promise<DiskHeader | undefined> {
  // A link would lead elsewhere, a pipe would be waited for without end.
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  if (!(await file.stat()).isFile()) return undefined;
  const start = Buffer.alloc(clusterBytes);
  const { bytesRead } = await file.read(start, 0, start.length, 0);
  return parseDiskHeader(start.subarray(0, bytesRead));
}

/** The same from the first bytes of a disk. */
export function parseDiskHeader(start: Buffer): DiskHeader | undefined {
  if (start.length < 104 || start.toString('latin1', 0, 4) !== 'QFI\u00fb' || start.readUInt32BE(4) !== 3)
    return undefined;
  const [nameAt, nameLength] = [start.readBigUInt64BE(8), start.readUInt32BE(16)];
  const [clusterBits, encryption, snapshots] = [start.readUInt32BE(20), start.readUInt32BE(32), start.readUInt32BE(60)];
  const headerBytes = start.readUInt32BE(100);
  if (clusterBits !== 16 || encryption !== 0 || snapshots !== 0) return undefined;
  if ((start.readBigUInt64BE(72) & ~knownFeatures) !== 0n) return undefined;
  if (headerBytes < 104 || headerBytes > start.length) return undefined;
  const bytes = start.readBigUInt64BE(24);
  const isAlone = nameAt === 0n;
  const end = isAlone ? clusterBytes : Number(nameAt);
  if (end > clusterBytes || (!isAlone && (nameLength === 0 || nameLength > longestName))) return undefined;
  const format = readFormat(start, headerBytes, end);
  if (isAlone) return format === '' ? { below: undefined, bytes } : undefined;
  if (format !== 'qcow2' || end + nameLength > start.length) return undefined;
  return { below: start.toString('utf8', end, end + nameLength), bytes };
}

/** The format of the file below by the extensions of a header, empty where none is named; undefined for what we never write. */
function readFormat(start: Buffer, from: number, end: number): string | undefined {
  let format = '';
  for (let at = from; at < end; ) {
    if (at + 8 > start.length) return undefined;
    const [kind, length] = [start.readUInt32BE(at), start.readUInt32BE(at + 4)];
    if (kind === 0) return format;
    if (refusedExtensions.includes(kind) || length > end - at - 8 || at + 8 + length > start.length) return undefined;
    if (kind === belowFormat) {
      if (format !== '') return undefined;
      format = start.toString('latin1', at + 8, at + 8 + length);
    }
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return format;
}
