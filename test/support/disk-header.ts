// The start of a disk image, saying what a test wants.

/** A qcow2 image that stands on another file, by its own words. */
export function standingOn(name: string): Buffer {
  const header = Buffer.alloc(512);
  header.write('QFI\u00fb', 'latin1');
  header.writeBigUInt64BE(128n, 8);
  header.writeUInt32BE(name.length, 16);
  header.write(name, 128);
  return header;
}
