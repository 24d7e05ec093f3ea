// Whole trees in and out of a guest: packing, unpacking, comparing.
import type { ClientHttp2Stream } from 'node:http2';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { PyroError } from '../shared/errors.ts';
import { gatherPieces } from '../shared/gather-pieces.ts';
import { Turns } from '../shared/turns.ts';
import { padding, writeHeader } from '../system/tar-write.ts';
import { type CallOptions, expectSuccess, parseAnswer, readAll } from './answers.ts';
import {
  differencesSchema,
  type ExpectedItemMessage,
  type PackRequestMessage,
  type TreeItemMessage,
  type TreeManifestMessage,
  unpackAnswerSchema,
} from './file-messages.ts';
import type { ExpectedItem, PackRequest, TreeComparison, TreeItems, UnpackRequest } from './file-types.ts';
import { brokenProtocol, chunksOf, relativePath } from './guest-bytes.ts';
import type { GuestClient } from './guest-client.ts';

/** Time in which a guest takes the next piece of a tree, and puts all of it in place, when the caller sets none, `ms` */
const treeMs = 600_000;
/** Most paths that a comparison may tell as more than the items: each is kept */
export const mostExtra = 300_000;
/** Most that paths of a comparison may sum up to, `bytes` */
export const mostExtraBytes = 64 * 1024 * 1024;
const longestLine = 1024 * 1024;

export async function packTree(client: GuestClient, request: PackRequest, call: CallOptions): Promise<Readable> {
  const body: PackRequestMessage = {
    path: Buffer.from(request.path).toString('base64'),
    ...(request.excludedNames === undefined ? {} : { excluded_names: [...request.excludedNames] }),
    ...(request.leftOut === undefined ? {} : { left_out: request.leftOut.map((path) => path.toString('base64')) }),
    ...(request.hasNames === true ? { names_kept: true } : {}),
  };
  const stream = client.open('POST', '/v1/tree/pack', call);
  stream.end(JSON.stringify(body));
  await expectSuccess(stream, call);
  return Readable.from(chunksOf(stream, call), { objectMode: false });
}

export async function unpackTree(
  client: GuestClient,
  request: UnpackRequest,
  tar: Readable,
  call: CallOptions,
): Promise<{ written: number; deleted: number }> {
  const path = '/v1/tree/unpack';
  const options = { timeoutMs: treeMs, ...call };
  const stream = await upload(client, path, withManifest(request, tar), options);
  return parseAnswer(await readAll(stream, options), unpackAnswerSchema, path);
}

export async function compareTree(
  client: GuestClient,
  request: { readonly destination: string; readonly items: TreeItems },
  call: CallOptions,
): Promise<TreeComparison> {
  const options = { timeoutMs: treeMs, ...call };
  const query = new URLSearchParams({ destination: request.destination });
  const stream = await upload(client, `/v1/tree/compare?${query}`, itemLines(request.items), options);
  return decodeComparison(chunksOf(stream, options), request.items.length);
}

/** Sends a body and waits for the answer's head, whichever side ends first. */
async function upload(
  client: GuestClient,
  path: string,
  body: AsyncIterable<Buffer>,
  options: CallOptions,
): Promise<ClientHttp2Stream> {
  const stream = client.open('POST', path, options);
  const source: { failure?: unknown } = {};
  const [answered, sent] = await Promise.allSettled([
    expectSuccess(stream, options),
    pipeline(gatherPieces(noting(body, source)), stream),
  ]);
  options.signal?.throwIfAborted();
  if ('failure' in source) throw source.failure;
  if (answered.status === 'rejected') throw answered.reason;
  if (sent.status === 'rejected')
    throw new PyroError('guest_unreachable', 'the guest stopped reading', { cause: sent.reason });
  return stream;
}

/** Keeps a failure of the source itself apart from those of the connection. */
async function* noting(body: AsyncIterable<Buffer>, source: { failure?: unknown }): AsyncGenerator<Buffer> {
  try {
    yield* body;
  } catch (error) {
    source.failure = error;
    throw error;
  }
}

async function* withManifest(request: UnpackRequest, tar: Readable): AsyncGenerator<Buffer> {
  yield await manifestEntry(request);
  for await (const chunk of tar) yield Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk);
}

/** The manifest as the first entry of a tar. */
async function manifestEntry(request: UnpackRequest): Promise<Buffer> {
  const { destination, deletedPaths, file, keepsKinds, expected } = request;
  const message: TreeManifestMessage = {
    destination: Buffer.from(destination).toString('base64'),
    deleted: deletedPaths.map((path) => path.toString('base64')),
    ...(file === undefined ? {} : { file: Buffer.from(file).toString('base64') }),
    ...(keepsKinds === true ? { keeps_kinds: true } : {}),
  };
  const pieces: Buffer[] = [];
  for await (const piece of gatherPieces(manifestText(message, expected))) pieces.push(piece);
  const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return Buffer.concat([
    writeHeader({ name: 'pyro.json', type: 'file', mode: 0o644, size, mtime: 0 }),
    ...pieces,
    padding(size),
  ]);
}

async function* manifestText(
  message: TreeManifestMessage,
  expected: AsyncIterable<ExpectedItem> | undefined,
): AsyncGenerator<Buffer> {
  const text = JSON.stringify(message);
  if (expected === undefined) {
    yield Buffer.from(text);
    return;
  }
  yield Buffer.from(`${text.slice(0, -1)},"expected":[`);
  let comma = '';
  for await (const item of expected) {
    const told: ExpectedItemMessage = { ...item, path: item.path.toString('base64') };
    yield Buffer.from(`${comma}${JSON.stringify(told)}`);
    comma = ',';
  }
  yield Buffer.from(']}');
}

async function* itemLines(items: TreeItems): AsyncGenerator<Buffer> {
  let text = '';
  for (const item of items) {
    const message: TreeItemMessage = { ...item, path: item.path.toString('base64') };
    text += `${JSON.stringify(message)}\n`;
    if (text.length < 65_536) continue;
    yield Buffer.from(text);
    text = '';
  }
  yield Buffer.from(text);
}

/** Reads the answer of a comparison of so many items. Throws `guest_protocol`. */
export async function decodeComparison(source: AsyncIterable<Buffer>, itemCount: number): Promise<TreeComparison> {
  const different: number[] = [];
  const extra: Buffer[] = [];
  let extraBytes = 0;
  let hasEnded = false;
  for await (const line of linesOf(source)) {
    if (hasEnded) throw brokenProtocol('something after the end of a comparison');
    const part = parseAnswer(line, differencesSchema, '/v1/tree/compare');
    for (const index of part.different ?? []) {
      // Rising numbers: none twice, and no more than there are items.
      if (index >= itemCount || index <= (different.at(-1) ?? -1))
        throw brokenProtocol('an index that belongs to no item');
      different.push(index);
    }
    for (const encoded of part.extra ?? []) {
      const path = relativePath(encoded);
      extraBytes += path.length;
      if (extra.length >= mostExtra || extraBytes > mostExtraBytes) throw brokenProtocol('too many paths');
      extra.push(path);
    }
    hasEnded = part.end === true;
    if (!hasEnded && part.different === undefined && part.extra === undefined)
      throw brokenProtocol('a part of a comparison with nothing in it');
  }
  if (!hasEnded) throw brokenProtocol('a comparison that is cut off');
  return { different, extra };
}

async function* linesOf(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  const turns = new Turns();
  for await (const chunk of source) {
    rest = Buffer.concat([rest, chunk]);
    for (let at = rest.indexOf(10); at >= 0; at = rest.indexOf(10)) {
      yield rest.subarray(0, at);
      rest = rest.subarray(at + 1);
      if (turns.isOver) await turns.next();
    }
    if (rest.length > longestLine) throw brokenProtocol('a line that is too long');
  }
  if (rest.length > 0) throw brokenProtocol('a line without an end');
}
