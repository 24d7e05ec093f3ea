// Registries in trouble: silent, busy, breaking off, lying; and what a pinned digest is worth.
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { usualLimits } from '../../../src/environment/registry-http.ts';
import { createPuller, type Puller, shortLimits } from '../../support/pull.ts';
import { pushImage, registryMissing, startRegistry, type TestRegistry } from '../../support/registry.ts';
import { type Front, type Handler, startFront } from '../../support/registry-front.ts';

let registry: TestRegistry;
let puller: Puller;
let front: Front;

const isManifest = ({ url = '' }: IncomingMessage): boolean => url.includes('/manifests/');

/** Gives the first answers itself and the later ones to the registry. */
function first(count: number, answer: (response: ServerResponse) => void): Handler {
  let left = count;
  return (_request, response) => {
    if (left-- <= 0) return false;
    answer(response);
    return true;
  };
}

describe.skipIf(registryMissing !== undefined)(
  `a registry in trouble${registryMissing === undefined ? '' : ` (skipped: ${registryMissing})`}`,
  () => {
    beforeAll(async () => {
      registry = await startRegistry();
      await pushImage(registry.host, 'image', [{ entries: [{ name: 'noise', data: randomBytes(300_000) }] }]);
    });
    afterAll(async () => await registry?.stop());
    beforeEach(() => {
      puller = createPuller();
    });
    afterEach(async () => {
      await front?.stop();
      puller.remove();
    });

    it('is given up after 10 s when it takes the connection and stays silent', async () => {
      expect(usualLimits.answerMs).toBe(10_000);
      front = await startFront(registry.host, () => true);
      const started = performance.now();
      await expect(puller.pull(`${front.host}/image`, { ...shortLimits, answerMs: 300 })).rejects.toMatchObject({
        code: 'registry_unreachable',
        message: expect.stringContaining('no answer within 0.3 s'),
        hint: expect.stringContaining('--source packages'),
      });
      expect(performance.now() - started).toBeLessThan(1500);
      expect(front.seen).toHaveLength(1);
    });

    it('is given up when it falls silent in the middle of a document', async () => {
      front = await startFront(registry.host, (_request, response) => response.writeHead(200).write('{"schema'));
      await expect(puller.pull(`${front.host}/image`, { ...shortLimits, answerMs: 300 })).rejects.toMatchObject({
        code: 'registry_unreachable',
        message: expect.stringContaining('no data for 0.3 s'),
      });
      expect(front.seen).toHaveLength(1);
    });

    it.each([
      ['503', (response: ServerResponse) => void response.writeHead(503).end()],
      ['429', (response: ServerResponse) => void response.writeHead(429, { 'retry-after': '0.01' }).end()],
      ['a reset connection', (response: ServerResponse) => void response.socket?.destroy()],
    ])('is asked again after %s', async (_name, answer) => {
      front = await startFront(registry.host, first(3, answer));
      expect((await puller.pull(`${front.host}/image`)).outcome).toBe('pulled');
      expect(front.seen.slice(0, 4).map(({ url }) => url)).toEqual(
        Array.from({ length: 4 }, () => '/v2/image/manifests/latest'),
      );
    });

    it('pauses longer before each further try, and as long as it is told to', async () => {
      const at: number[] = [];
      front = await startFront(registry.host, (_request, response) => {
        at.push(performance.now());
        response.writeHead(at.length === 1 ? 429 : 503, at.length === 1 ? { 'retry-after': '0.3' } : {}).end();
        return true;
      });
      await puller.pull(`${front.host}/image`, { ...shortLimits, pauseMs: 50 }).catch(() => undefined);
      const pauses = at.slice(1).map((time, index) => time - (at[index] ?? 0));
      expect(pauses[0]).toBeGreaterThan(290);
      expect(pauses[1]).toBeGreaterThan(95);
      expect(pauses[2]).toBeGreaterThan(195);
    });

    it.each([
      [503, 'later'],
      [429, 'docker login'],
    ])('is given up after four answers of %i', async (status, hint) => {
      front = await startFront(registry.host, (_request, response) => {
        response.writeHead(status).end();
        return true;
      });
      await expect(puller.pull(`${front.host}/image`)).rejects.toMatchObject({
        code: 'registry_error',
        message: expect.stringContaining(String(status)),
        hint: expect.stringContaining(hint),
      });
      expect(front.seen).toHaveLength(4);
    });

    it.each(['breaks off', 'falls silent'])('goes on where a layer %s, and again', async (what) => {
      const sizes: number[] = [];
      front = await startFront(registry.host, async (request, response) => {
        if (!(request.url ?? '').includes('/blobs/') || sizes.length === 3) return false;
        const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? '0';
        const all = Buffer.from(await (await fetch(`http://${registry.host}${request.url}`)).arrayBuffer());
        if (all.length < 100_000) return false;
        sizes.push(Number(range));
        const piece = all.subarray(Number(range), Number(range) + 70_000);
        response.writeHead(range === '0' ? 200 : 206, { 'content-length': all.length - Number(range) });
        response.write(piece);
        if (what === 'breaks off') setTimeout(() => response.destroy(), 100);
        return true;
      });
      await puller.pull(`${front.host}/image`);
      expect(sizes[0]).toBe(0);
      expect(sizes[1]).toBeGreaterThan(0);
      expect(sizes[2]).toBeGreaterThan(sizes[1] ?? 0);
    });

    it('may answer a resumed layer with the whole', async () => {
      let broke = false;
      front = await startFront(registry.host, async (request, response) => {
        if (!(request.url ?? '').includes('/blobs/')) return false;
        const all = Buffer.from(await (await fetch(`http://${registry.host}${request.url}`)).arrayBuffer());
        response.writeHead(200, { 'content-length': all.length });
        if (broke || all.length < 100_000) response.end(all);
        else {
          response.write(all.subarray(0, 50_000));
          setTimeout(() => response.destroy(), 100);
        }
        broke ||= all.length >= 100_000;
        return true;
      });
      expect((await puller.pull(`${front.host}/image`)).outcome).toBe('pulled');
      expect(front.seen.filter(({ range }) => range !== undefined)).toHaveLength(1);
    });

    it('leaves nothing of a pull that is cancelled in the middle of a layer', async () => {
      const cancel = new AbortController();
      front = await startFront(registry.host, async (request, response) => {
        if (!(request.url ?? '').includes('/blobs/')) return false;
        const all = Buffer.from(await (await fetch(`http://${registry.host}${request.url}`)).arrayBuffer());
        if (all.length < 100_000) return false;
        response.writeHead(200, { 'content-length': all.length });
        response.write(all.subarray(0, 50_000));
        setTimeout(() => cancel.abort(), 100);
        return true;
      });
      const pulling = puller.pull(`${front.host}/image`, { ...shortLimits, idleMs: 30_000 }, cancel.signal);
      await expect(pulling).rejects.toMatchObject({ code: 'cancelled' });
      const files = readdirSync(puller.folder, { recursive: true, withFileTypes: true }).filter((each) =>
        each.isFile(),
      );
      expect(files.map(({ name }) => name)).toEqual([]);
    });

    it('may not answer a pinned digest with another manifest', async () => {
      const { digest } = await pushImage(registry.host, 'pinned', [{ entries: [{ name: 'a', data: '1' }] }]);
      front = await startFront(registry.host, async (request, response) => {
        if (!isManifest(request)) return false;
        const accept = { headers: { accept: request.headers.accept ?? '' } };
        const real = await (await fetch(`http://${registry.host}${request.url}`, accept)).text();
        response.writeHead(200).end(real.replace('"schemaVersion":2', '"schemaVersion": 2'));
        return true;
      });
      await expect(puller.pull(`${front.host}/pinned@${digest}`)).rejects.toMatchObject({ code: 'digest_mismatch' });
    });

    it('moves a tag, but not what is pinned', async () => {
      const { digest: old } = await pushImage(registry.host, 'moves', [{ entries: [{ name: 'a', data: '1' }] }]);
      const name = `${registry.host}/moves`;
      expect(await puller.pull(`${name}@${old}`)).toMatchObject({ outcome: 'pulled', environment: { digest: old } });
      expect(await puller.pull(name)).toMatchObject({ outcome: 'pulled', environment: { digest: old } });
      const { digest: next } = await pushImage(registry.host, 'moves', [{ entries: [{ name: 'a', data: '2' }] }]);
      expect(await puller.pull(name)).toMatchObject({ outcome: 'changed', previousDigest: old });
      expect(await puller.pull(name)).toMatchObject({ outcome: 'up_to_date', environment: { digest: next } });
      const pinned = await puller.pull(`${name}@${old}`);
      expect(pinned).toMatchObject({ outcome: 'up_to_date', environment: { digest: old } });
    });

    it('may not lead from an encrypted address to a plain one', async () => {
      const real = globalThis.fetch;
      // A registry of another machine is asked over HTTPS; here its answer comes after a redirect to plain HTTP.
      globalThis.fetch = async (url) => {
        expect(String(url)).toMatch(/^https:\/\/registry\.example\//);
        return await real(`http://${registry.host}/v2/`);
      };
      try {
        await expect(puller.pull('registry.example/image')).rejects.toMatchObject({
          code: 'registry_error',
          message: expect.stringContaining('redirects from https to'),
        });
      } finally {
        globalThis.fetch = real;
      }
    });
  },
);
