// Files of a guest: the host's client of the agent's file routes.

import { type CallOptions, expectSuccess, parseAnswer, readAll } from './answers.ts';
import { decodeChanges } from './changes-decoder.ts';
import {
  type ChangesRequestMessage,
  type FileEntryMessage,
  listingSchema,
  type ReplaceRequestMessage,
  replaceAnswerSchema,
  sliceHeadSchema,
  writeAnswerSchema,
} from './file-messages.ts';
import type { Change, ChangesRequest, FileEntry, FileListing, FileSlice, GuestFiles } from './file-types.ts';
import { brokenProtocol, chunksOf } from './guest-bytes.ts';
import type { GuestClient } from './guest-client.ts';
import { compareTree, packTree, unpackTree } from './guest-trees.ts';

/** Time of one answer about a single file when the caller sets none, `ms` */
const fileMs = 60_000;
/** Longest page of a listing: 10,000 entries with paths as the agent bounds them, `bytes` */
export const longestListing = 4 * 1024 * 1024;

type Request<Name extends 'list' | 'read' | 'write' | 'replace'> = Parameters<GuestFiles[Name]>[0];

export function createGuestFiles(client: GuestClient): GuestFiles {
  return {
    list: (request, call = {}) => list(client, request, call),
    read: (request, call = {}) => read(client, request, call),
    write: (request, content, call = {}) => write(client, request, content, call),
    replace: (request, call = {}) => replace(client, request, call),
    changes: (request, call = {}) => changes(client, request, call),
    pack: (request, call = {}) => packTree(client, request, call),
    unpack: (request, tar, call = {}) => unpackTree(client, request, tar, call),
    compare: (request, call = {}) => compareTree(client, request, call),
  };
}

async function list(client: GuestClient, request: Request<'list'>, call: CallOptions): Promise<FileListing> {
  const query = new URLSearchParams({ path: request.path, depth: `${request.depth}`, limit: `${request.limit}` });
  if (request.glob !== undefined) query.set('glob', request.glob);
  const cursor = request.cursor === undefined ? Buffer.alloc(0) : Buffer.from(request.cursor, 'base64');
  const options = { timeoutMs: fileMs, ...call };
  const path = `/v1/files?${query}&cursor=${percentEncode(cursor)}`;
  const stream = client.open('GET', path, options);
  stream.end();
  await expectSuccess(stream, options);
  const answer = parseAnswer(await readAll(stream, options, longestListing), listingSchema, '/v1/files');
  if (answer.entries.length > request.limit) throw brokenProtocol('more entries than were asked for');
  const next = answer.next_cursor;
  // A cursor that stands still would keep a caller asking for good.
  if (next !== undefined && Buffer.compare(Buffer.from(next, 'base64'), cursor) <= 0) {
    throw brokenProtocol('a listing that makes no progress');
  }
  return { entries: answer.entries.map(toEntry), nextCursor: next };
}

function toEntry({ path, type, size, mode, mtime_ms, link_target }: FileEntryMessage): FileEntry {
  const decode = (encoded: string): string => Buffer.from(encoded, 'base64').toString('utf8');
  return {
    path: decode(path),
    type,
    size,
    mode,
    mtimeMs: mtime_ms,
    linkTarget: link_target === undefined ? undefined : decode(link_target),
  };
}

async function read(client: GuestClient, request: Request<'read'>, call: CallOptions): Promise<FileSlice> {
  const query = new URLSearchParams({ path: request.path, length: `${request.length}` });
  const numbers = { offset: request.offset, start_line: request.startLine, end_line: request.endLine };
  for (const [name, value] of Object.entries(numbers)) if (value !== undefined) query.set(name, `${value}`);
  const options = { timeoutMs: fileMs, ...call };
  const stream = client.open('GET', `/v1/files/content?${query}`, options);
  stream.end();
  const head = sliceHeadSchema.safeParse(await expectSuccess(stream, options));
  if (!head.success) {
    stream.destroy();
    throw brokenProtocol('a slice of a file without its offset', head.error);
  }
  const bytes = await readAll(stream, options, request.length);
  const firstLine = head.data['pyro-first-line'];
  return {
    bytes,
    size: head.data['pyro-size'],
    mode: head.data['pyro-mode'],
    offset: head.data['pyro-offset'],
    firstLine: firstLine === 0 ? undefined : firstLine,
    isCut: head.data['pyro-cut'] === 'true',
  };
}

async function write(
  client: GuestClient,
  request: Request<'write'>,
  content: Buffer,
  call: CallOptions,
): Promise<{ size: number; mode: number; wasCreated: boolean }> {
  const query = new URLSearchParams({ path: request.path });
  if (request.mode !== undefined) query.set('mode', `${request.mode}`);
  if (request.isAppend === true) query.set('append', '1');
  const options = { timeoutMs: fileMs, ...call };
  const stream = client.open('PUT', `/v1/files/content?${query}`, options);
  stream.end(content);
  await expectSuccess(stream, options);
  const answer = parseAnswer(await readAll(stream, options), writeAnswerSchema, '/v1/files/content');
  return { size: answer.size, mode: answer.mode, wasCreated: answer.was_created };
}

async function replace(
  client: GuestClient,
  request: Request<'replace'>,
  call: CallOptions,
): Promise<{ size: number; replacedCount: number }> {
  const body: ReplaceRequestMessage = {
    path: Buffer.from(request.path).toString('base64'),
    edits: request.edits.map(({ oldText, newText, expectedCount }) => ({
      old_text: oldText,
      new_text: newText,
      expected_count: expectedCount ?? 0,
    })),
  };
  const answer = await client.call('POST', '/v1/files/replace', body, replaceAnswerSchema, {
    timeoutMs: fileMs,
    ...call,
  });
  return { size: answer.size, replacedCount: answer.replaced_count };
}

async function* changes(client: GuestClient, request: ChangesRequest, call: CallOptions): AsyncGenerator<Change> {
  const body: ChangesRequestMessage = {
    scope: request.scope,
    content: request.hasContent,
    ...(request.paths === undefined ? {} : { paths: request.paths.map((path) => path.toString('base64')) }),
    ...(request.isExact === undefined ? {} : { exact: request.isExact }),
    ...(request.excludedNames === undefined ? {} : { excluded_names: [...request.excludedNames] }),
    ...(request.below === undefined ? {} : { below: request.below.toString('base64') }),
    ...(request.leftOut === undefined ? {} : { left_out: request.leftOut.map((path) => path.toString('base64')) }),
    ...(request.leafNames === undefined ? {} : { leaf_names: [...request.leafNames] }),
    ...(request.folded === undefined ? {} : { folded: request.folded.map((path) => path.toString('base64')) }),
    ...(request.largestContent === undefined ? {} : { largest_content: request.largestContent }),
  };
  const stream = client.open('POST', '/v1/changes', call);
  stream.end(JSON.stringify(body));
  await expectSuccess(stream, { timeoutMs: fileMs, ...call });
  yield* decodeChanges(chunksOf(stream, call), request.hasContent);
}

/** Each byte as it is, whether it is text or not. */
function percentEncode(bytes: Buffer): string {
  return bytes.toString('hex').replaceAll(/../g, '%$&');
}
