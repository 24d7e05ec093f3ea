// A registry on loopback for tests, images made of tar entries, and a proxy in front that breaks connections.
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';
import { until } from './until.ts';

export const registryMissing = ['/usr/bin/docker-registry'].some(existsSync)
  ? undefined
  : 'docker-registry is not installed';

export async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

export interface TestRegistry {
  readonly host: string;
  readonly folder: string;
  readonly stop: () => Promise<void>;
}

export async function startRegistry(): Promise<TestRegistry> {
  const folder = mkdtempSync(join(tmpdir(), 'pyro-registry-'));
  const port = await freePort();
  const config = join(folder, 'config.yml');
  writeFileSync(
    config,
    `version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: ${folder}/data}}\nhttp: {addr: "127.0.0.1:${port}"}\n`,
  );
  const child: ChildProcess = spawn('/usr/bin/docker-registry', ['serve', config], { stdio: 'ignore' });
  const host = `127.0.0.1:${port}`;
  await until(() =>
    fetch(`http://${host}/v2/`)
      .then((answer) => answer.ok)
      .catch(() => false),
  );
  const stop = async (): Promise<void> => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  return { host, folder, stop };
}

export interface TestEntry extends Partial<Omit<Header, 'name'>> {
  readonly name: string;
  readonly data?: string | Buffer;
}

export async function tarOf(entries: readonly TestEntry[]): Promise<Buffer> {
  const tar = pack();
  for (const { data, ...header } of entries) tar.entry({ mtime: new Date(1_700_000_000_000), ...header }, data ?? '');
  tar.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of tar) chunks.push(Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk)));
  return Buffer.concat(chunks);
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export async function pushBlob(host: string, name: string, bytes: Buffer): Promise<{ digest: string; size: number }> {
  const start = await fetch(`http://${host}/v2/${name}/blobs/uploads/`, { method: 'POST' });
  const place = new URL(start.headers.get('location') ?? '', `http://${host}`);
  place.searchParams.set('digest', digestOf(bytes));
  const put = await fetch(place, {
    method: 'PUT',
    body: new Uint8Array(bytes),
    headers: { 'content-type': 'application/octet-stream' },
  });
  if (!put.ok) throw new Error(`push of a blob: ${put.status}`);
  return { digest: digestOf(bytes), size: bytes.length };
}

export interface TestLayer {
  readonly entries?: readonly TestEntry[];
  /** The archive itself in place of entries */
  readonly tar?: Buffer;
  readonly compression?: Compression;
  /** The layer as it is sent, in place of compressing the archive */
  readonly packed?: Buffer;
  /** Digest to promise in place of the right one */
  readonly diffId?: string;
}

function compress(tar: Buffer, compression: Compression): Buffer {
  if (compression === 'none') return tar;
  return compression === 'gzip' ? gzipSync(tar) : zstdCompressSync(tar);
}

export type Compression = 'gzip' | 'zstd' | 'none';

/** Pushes an image of these layers, lowest first, and gives its manifest's digest. */
export async function pushImage(
  host: string,
  name: string,
  layers: readonly TestLayer[],
  config: Readonly<Record<string, unknown>> = {},
): Promise<{ digest: string; layerDigests: string[] }> {
  const pushed: { digest: string; size: number; mediaType: string }[] = [];
  const diffIds: string[] = [];
  for (const { entries = [], tar: given, compression = 'gzip', packed, diffId } of layers) {
    const tar = given ?? (await tarOf(entries));
    diffIds.push(diffId ?? digestOf(tar));
    const bytes = packed ?? compress(tar, compression);
    const mediaType = `application/vnd.oci.image.layer.v1.tar${compression === 'none' ? '' : `+${compression}`}`;
    pushed.push({ ...(await pushBlob(host, name, bytes)), mediaType });
  }
  const document = { architecture: 'amd64', os: 'linux', config, rootfs: { type: 'layers', diff_ids: diffIds } };
  const described = await pushBlob(host, name, Buffer.from(JSON.stringify(document)));
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { ...described, mediaType: 'application/vnd.oci.image.config.v1+json' },
      layers: pushed,
    }),
  );
  await putManifest(host, name, 'latest', manifest, 'application/vnd.oci.image.manifest.v1+json');
  return { digest: digestOf(manifest), layerDigests: pushed.map(({ digest }) => digest) };
}

export async function putManifest(host: string, name: string, tag: string, bytes: Buffer, type: string): Promise<void> {
  const put = await fetch(`http://${host}/v2/${name}/manifests/${tag}`, {
    method: 'PUT',
    body: new Uint8Array(bytes),
    headers: { 'content-type': type },
  });
  if (!put.ok) throw new Error(`push of a manifest: ${put.status} ${await put.text()}`);
}

/** A proxy that cuts the first answer of each large blob half-way and notes the ranges it was asked for. */
export async function startBreakingProxy(target: string): Promise<{ host: string; ranges: string[]; server: Server }> {
  const ranges: string[] = [];
  const broken = new Set<string>();
  const server = createServer(async (request, response) => {
    const url = request.url ?? '/';
    const { range } = request.headers;
    if (range !== undefined) ranges.push(range);
    const answer = await fetch(`http://${target}${url}`, {
      headers: { accept: request.headers.accept ?? '*/*', ...(range === undefined ? {} : { range }) },
    });
    const body = Buffer.from(await answer.arrayBuffer());
    response.writeHead(answer.status, {
      'content-type': answer.headers.get('content-type') ?? '',
      'content-length': body.length,
    });
    if (url.includes('/blobs/') && body.length > 10_000 && !broken.has(url)) {
      broken.add(url);
      response.write(body.subarray(0, body.length / 2), () => response.destroy());
    } else response.end(body);
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  return { host: `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`, ranges, server };
}
