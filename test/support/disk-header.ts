// The start of a disk image, saying what a test wants.

export interface HeaderWish {
  /** Name of the file below */
  readonly below?: string;
  readonly extensions?: readonly (readonly [number, string])[];
  readonly bytes?: bigint;
}

const [nameAt, headerBytes] = [4096, 104];
const formatKind = 0xe2792aca;

/** A qcow2 image that is nothing but its header; its file below, where it names one, is said to be a qcow2, too. */
export function diskHeader({ below, extensions, bytes = 0n }: HeaderWish): Buffer {
  const header = Buffer.alloc(65_536);
  header.write('QFI\u00fb', 'latin1');
  header.writeUInt32BE(3, 4);
  header.writeUInt32BE(16, 20);
  header.writeBigUInt64BE(bytes, 24);
  header.writeUInt32BE(headerBytes, 100);
  if (below !== undefined) {
    header.writeBigUInt64BE(BigInt(nameAt), 8);
    header.writeUInt32BE(Buffer.byteLength(below), 16);
    header.write(below, nameAt);
  }
  let at = headerBytes;
  for (const [kind, text] of extensions ?? (below === undefined ? [] : [[formatKind, 'qcow2']])) {
    header.writeUInt32BE(kind, at);
    header.writeUInt32BE(text.length, at + 4);
    header.write(text, at + 8);
    at += 8 + Math.ceil(text.length / 8) * 8;
  }
  return header;
}

export const dataFile = 0x44415441;
export const encryption = 0x0537be77;
export const belowFormat = formatKind;

/** One that stands on another file, by its own words. */
export function standingOn(name: string): Buffer {
  return diskHeader({ below: name });
}
