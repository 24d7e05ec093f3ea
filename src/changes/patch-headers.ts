// Quotes names in a patch's headers that Git prints plain and then cannot read: those with a folder that ends in a space.
import { createReadStream } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { quotePath } from './git-paths.ts';
import type { RawChange } from './raw-diff.ts';

const longestHeader = 64 * 1024;
/** Read and written at once, `bytes` */
const writtenBytes = 256 * 1024;
const start = Buffer.from('diff --git ');

/** Rewrites the file where there is such a name; `git apply` needs the header where a patch has no lines of its own. */
export async function quoteHeaders(file: string, changes: readonly RawChange[]): Promise<void> {
  const quoted = new Map<string, Buffer>();
  for (const change of changes) {
    if (!change.oldKey.includes(' /') && !change.key.includes(' /')) continue;
    const { oldPath, path } = change;
    const names = [Buffer.concat([Buffer.from('a/'), oldPath]), Buffer.concat([Buffer.from('b/'), path])];
    quoted.set(`diff --git ${names.join(' ')}`, Buffer.from(`diff --git ${names.map(quotePath).join(' ')}`));
  }
  if (quoted.size === 0) return;
  const written = `${file}.quoted`;
  const output = await open(written, 'wx', 0o600);
  try {
    let pieces: Buffer[] = [];
    let bytes = 0;
    for await (const piece of rewrite(createReadStream(file, { highWaterMark: writtenBytes }), quoted)) {
      pieces.push(piece);
      bytes += piece.length;
      if (bytes < writtenBytes) continue;
      await output.writeFile(Buffer.concat(pieces));
      pieces = [];
      bytes = 0;
    }
    await output.writeFile(Buffer.concat(pieces));
  } finally {
    await output.close();
  }
  await rename(written, file);
}

/** Lines in hunks begin with a sign, so that a line which begins like a header is one. */
async function* rewrite(source: AsyncIterable<Buffer>, quoted: ReadonlyMap<string, Buffer>): AsyncGenerator<Buffer> {
  let rest = Buffer.alloc(0);
  let isLineStart = true;
  for await (const chunk of source) {
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a)) {
      const line = rest.subarray(0, end);
      const isHeader = isLineStart && line.subarray(0, start.length).equals(start);
      yield (isHeader ? quoted.get(line.toString()) : undefined) ?? line;
      yield Buffer.from('\n');
      rest = rest.subarray(end + 1);
      isLineStart = true;
    }
    if (rest.length <= longestHeader) continue;
    yield rest;
    rest = Buffer.alloc(0);
    isLineStart = false;
  }
  yield rest;
}
