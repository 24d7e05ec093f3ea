// Valid inputs from which the fuzzer starts.
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { TarEntry } from '../src/system/tar-header.ts';
import { padding, writeHeader } from '../src/system/tar-write.ts';

const plain: TarEntry = {
  name: 'etc/passwd',
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 5,
  mtime: 1_700_000_000,
  linkname: '',
  devmajor: 0,
  devminor: 0,
  xattrs: [],
};
const empty = { ...plain, size: 0 };
const capability: TarEntry = { ...empty, name: 'ping', xattrs: [['security.capability', '\x01\0\0\x02\0\x04\0\0']] };
const entries: readonly TarEntry[] = [
  { ...empty, name: './', type: 'directory', mode: 0o755 },
  { ...empty, name: `${'d'.repeat(120)}/${'n'.repeat(200)}` },
  { ...empty, name: 'l', type: 'symlink', linkname: '../'.repeat(60) },
  { ...empty, name: 'h', type: 'link', linkname: 'etc/passwd' },
  { ...empty, name: 'dev/null', type: 'character-device', devmajor: 1, devminor: 3 },
  { ...empty, name: 'big', uid: 3_000_000_000 },
  { ...empty, name: 'etc/.wh.shadow' },
  capability,
];

export const tarHeaders: readonly Buffer[] = [writeHeader(plain), ...entries.map(writeHeader)];

const archive = Buffer.concat([
  writeHeader(plain),
  Buffer.from('hello'),
  padding(5),
  ...entries.map(writeHeader),
  Buffer.alloc(1024),
]);

export const layers: readonly Buffer[] = [archive, gzipSync(archive), zstdCompressSync(archive), longName(archive)];

export const paxRecords: readonly Buffer[] = [
  Buffer.from('20 path=some/long/n\n15 mtime=1.5e9\n'),
  Buffer.from('30 SCHILY.xattr.user.x=\0\u00ff=\n1\n', 'latin1'),
  Buffer.from('12 uid=1000\n'),
];

export const zstdFiles: readonly Buffer[] = [
  zstdCompressSync(Buffer.alloc(3000, 7)),
  Buffer.concat([zstdCompressSync(Buffer.from('first')), zstdCompressSync(Buffer.from('second'))]),
  Buffer.concat([
    Buffer.from('502a4d1803000000616263', 'hex'),
    zstdCompressSync(Buffer.from('behind a skipped frame')),
  ]),
];

const digest = `sha256:${'a'.repeat(64)}`;
const descriptor = { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: 3 };
export const manifests: readonly Buffer[] = [
  {
    schemaVersion: 2,
    config: descriptor,
    layers: [{ ...descriptor, mediaType: 'application/vnd.oci.image.layer.v1.tar' }],
  },
  { manifests: [{ ...descriptor, platform: { os: 'linux', architecture: 'amd64', variant: 'v2' } }] },
  { manifests: [{ ...descriptor, platform: { os: 'linux', architecture: 'arm64' } }] },
  { schemaVersion: 1, fsLayers: [] },
  {
    os: 'linux',
    architecture: 'amd64',
    rootfs: { diff_ids: [digest] },
    config: { Env: ['A=b'], Cmd: null, User: '1' },
  },
].map((document) => Buffer.from(JSON.stringify(document)));

export const references: readonly Buffer[] = [
  'alpine',
  'docker.io/library/node:24',
  `localhost:5000/a/b_c.d-e:tag@${digest}`,
  '[::1]:5000/x',
].map((text) => Buffer.from(text));

export const envelopes: readonly Buffer[] = [
  '*** Begin Patch\n*** Update File: a\n*** Move to: d/b\n@@ one\n two\n-three\n+drei\n\n@@ -1,2 +3 @@\n-five\n*** End of File\n*** End Patch\n',
  "cd d && apply_patch <<'EOF'\n*** Begin Patch\n*** Add File: x/y\n+a\n\n+b\n*** Delete File: z\n*** End Patch\nEOF\n",
].map((text) => Buffer.from(text));

export const toolInputs: readonly Buffer[] = [
  { id: '6f1e538c0e71', cmd: ['ls', '-l'], timeout_ms: '5', env: ['A=b'], secret_env: { A: 'B' } },
  { labels: '{"a":1}', secrets: { A: 'b' }, memory: '512', allow: 'a.org', network: 'OFF' },
  { id: 'x', name: 'web', command: 'x', ports: ['8080:80', 1, { port: '2' }], restart_policy: 'on_failure' },
  { file_path: 'a', edits: [{ old_string: 'a', new_string: 'b', replace_all: 'true' }, '{"old_text":"x"}'] },
].map((input) => Buffer.from(JSON.stringify(input)));

/** The archive behind a GNU header that names its first entry. */
function longName(rest: Buffer): Buffer {
  const name = Buffer.from(`${'long/'.repeat(50)}name\0`);
  const header = Buffer.from(writeHeader({ ...plain, name: '././@LongLink', size: name.length }));
  header.write('L', 156, 'latin1');
  return Buffer.concat([withChecksum(header), name, padding(name.length), rest]);
}

/** The bytes with the checksum of each block that may be a header made right: else no change would get past it. */
export function withChecksum(bytes: Buffer): Buffer {
  const fixed = Buffer.from(bytes);
  for (let start = 0; start + 512 <= fixed.length; start += 512) {
    if (fixed.toString('latin1', start + 257, start + 262) !== 'ustar') continue;
    fixed.write('        ', start + 148, 'latin1');
    const sum = fixed.subarray(start, start + 512).reduce((total, byte) => total + byte, 0);
    fixed.write(`${sum.toString(8).padStart(6, '0')}\0 `, start + 148, 'latin1');
  }
  return fixed;
}

/** One frame of a guest: kind, length, content. */
function frame(kind: number, content: string | Buffer | object): Buffer {
  const body = Buffer.isBuffer(content)
    ? content
    : Buffer.from(typeof content === 'string' ? content : JSON.stringify(content));
  const head = Buffer.alloc(5);
  head.writeUInt8(kind);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

/** The bytes with each frame as long as it says, as far as there are bytes for it. */
export function withLengths(bytes: Buffer): Buffer {
  const mended = Buffer.from(bytes);
  for (let at = 0; at + 5 <= mended.length; ) {
    const left = mended.length - at - 5;
    const length = Math.min(mended.readUInt32BE(at + 1), left, 4096);
    mended.writeUInt32BE(length, at + 1);
    at += 5 + length;
  }
  return mended;
}

const exit = { event: 'exit', exit_code: 0, timed_out: false, stdout_bytes: 2, stderr_bytes: 0 };
export const frameStreams: readonly Buffer[] = [
  Buffer.concat([frame(3, { event: 'started', id: 'a-1', pid: 7 }), frame(1, 'hi'), frame(2, ''), frame(3, exit)]),
  Buffer.concat([frame(3, { event: 'gap', stream: 'stderr', from: 1, to: 9 }), frame(3, { ...exit, signal: 'KILL' })]),
];

const side = { type: 'file', mode: 0o644, size: 3 };
const pathOf = (path: string): string => Buffer.from(path).toString('base64');
export const changeStreams: readonly Buffer[] = [
  Buffer.concat([
    frame(1, { path: pathOf('a/b'), before: side, after: { ...side, size: 5 } }),
    ...[frame(2, 'old'), frame(3, 'new'), frame(3, 'er'), frame(4, { torn: false }), frame(5, { records: 1 })],
  ]),
  Buffer.concat([
    frame(1, { path: pathOf('l'), after: { ...side, type: 'symlink' } }),
    frame(3, 'a/b'),
    frame(4, { torn: true }),
    frame(1, { path: pathOf('d'), after: { ...side, type: 'directory', size: 0 }, folded: { files: 3, bytes: 9 } }),
    ...[frame(4, { torn: false }), frame(5, { records: 2 })],
  ]),
  frame(6, { code: 'file_missing', message: 'x' }),
];

export const comparisons: readonly Buffer[] = [
  '{"different":[0,3,7]}\n{"extra":["YQ==","Yi9j"]}\n{"different":[9],"end":true}\n',
  '{"end":true}\n',
].map((text) => Buffer.from(text));

const entry = { path: pathOf('a'), type: 'file', size: 1, mode: 0o644, mtime_ms: 5 };
export const guestAnswers: readonly Buffer[] = [
  { protocol: 1, version: '5.0.0', activated: true, boot_ms: 10 },
  { processes: [{ id: 'a', pid: 1, argv: ['sh'], running: true, timed_out: false, stdout_bytes: 0, stderr_bytes: 0 }] },
  { ready: true, detail: 'x' },
  { uptime_ms: 1, memory_total_bytes: 2, memory_available_bytes: 1, processes: 3, activated: true },
  { bytes: 4 },
  { entries: [entry, { ...entry, link_target: pathOf('b') }], next_cursor: pathOf('a') },
  { size: 1, mode: 0o600, was_created: true },
  { code: 'disk_full', message: 'no room' },
].map((answer) => Buffer.from(JSON.stringify(answer)));

export const gitPatches: readonly Buffer[] = [
  'diff --git a/f b/f\nindex 1234567..89abcde 100644\n--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n one\n-two\n+TWO\n three\n',
  'diff --git a/old name b/new name\nsimilarity index 90%\nrename from old name\nrename to new name\n--- a/old name\t\n+++ b/new name\t\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n',
  'diff --git "a/\\303\\244" "b/\\303\\244"\nold mode 100644\nnew mode 100755\ndiff --git a/x b/x\nnew file mode 120000\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+target\n',
  `From ${'1'.repeat(40)} Mon Sep 17 00:00:00 2001\nFrom: A <a@b>\nSubject: x\n\n---\n--- f\n+++ f\n@@ -3,0 +4 @@ fn\n+x\n`,
  'diff --git a/b b/b\nindex e69de29..1234567 100644\nGIT binary patch\nliteral 3\nKcmZQzWMT#Y01f~L\n\nliteral 0\nHcmV?d00001\n\n',
].map((text) => Buffer.from(text, 'latin1'));
