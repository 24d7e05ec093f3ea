// Registries that want to know who asks: tokens, docker's configuration, credential helpers, and where credentials never go.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createPuller, type Puller } from '../../support/pull.ts';
import { pushImage, registryMissing, startRegistry, type TestRegistry } from '../../support/registry.ts';
import { type Front, type Handler, startFront } from '../../support/registry-front.ts';

let registry: TestRegistry;
let puller: Puller;
let front: Front;
const before = { PATH: process.env['PATH'], DOCKER_CONFIG: process.env['DOCKER_CONFIG'] };

function basic(text: string): string {
  return `Basic ${Buffer.from(text).toString('base64')}`;
}

/** Writes docker's configuration, and a helper named `test` that answers with this user and secret. */
function logIn(config: object, helper?: { Username: string; Secret: string }): void {
  const folder = join(puller.folder, 'docker');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  process.env['DOCKER_CONFIG'] = folder;
  if (helper === undefined) return;
  const path = join(folder, 'docker-credential-test');
  // It answers for the registry that it is asked about, as real helpers do.
  writeFileSync(
    path,
    `#!/bin/sh\nread -r host\n[ "$host" = "${front.host}" ] || { echo credentials not found; exit 1; }\necho '${JSON.stringify(helper)}'\n`,
  );
  chmodSync(path, 0o755);
  process.env['PATH'] = `${folder}:${before.PATH}`;
}

/** Answers as a registry whose tokens come from `/token`; `accepts` judges the token request. */
function tokenRegistry(accepts: (authorization: string | undefined, form: URLSearchParams) => boolean): Handler {
  return async (request, response, self) => {
    if (request.url?.startsWith('/token') === true) {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      if (accepts(request.headers.authorization, new URLSearchParams(body)))
        response.writeHead(200).end(JSON.stringify({ token: 'good' }));
      else response.writeHead(401).end('{}');
      return true;
    }
    if (request.headers.authorization === 'Bearer good') return false;
    const challenge = `Bearer realm="http://${self.host}/token",service="the service",scope="repository:private:pull"`;
    response.writeHead(401, { 'www-authenticate': challenge }).end();
    return true;
  };
}

describe.skipIf(registryMissing !== undefined)(
  `a registry with a log-in${registryMissing === undefined ? '' : ` (skipped: ${registryMissing})`}`,
  () => {
    beforeAll(async () => {
      registry = await startRegistry();
      await pushImage(registry.host, 'private', [{ entries: [{ name: 'a', data: 'x' }] }]);
    });
    afterAll(async () => await registry?.stop());
    beforeEach(() => {
      puller = createPuller();
      process.env['DOCKER_CONFIG'] = join(puller.folder, 'none');
    });
    afterEach(async () => {
      await front?.stop();
      puller.remove();
      process.env['PATH'] = before.PATH;
      if (before.DOCKER_CONFIG === undefined) delete process.env['DOCKER_CONFIG'];
      else process.env['DOCKER_CONFIG'] = before.DOCKER_CONFIG;
    });

    it('gets an anonymous token with the service and scope of the challenge, once', async () => {
      front = await startFront(
        registry.host,
        tokenRegistry((authorization) => authorization === undefined),
      );
      await puller.pull(`${front.host}/private`);
      const asked = front.seen.filter(({ url }) => url.startsWith('/token'));
      expect(asked.map(({ url }) => url)).toEqual(['/token?service=the+service&scope=repository%3Aprivate%3Apull']);
    });

    it.each(['auths', 'auths with a scheme'])('takes the token for the user of docker login (%s)', async (kind) => {
      front = await startFront(
        registry.host,
        tokenRegistry((authorization) => authorization === basic('me:secret')),
      );
      const key = kind === 'auths' ? front.host : `https://${front.host}/v2/`;
      logIn({ auths: { [key]: { auth: Buffer.from('me:secret').toString('base64') } } });
      expect((await puller.pull(`${front.host}/private`)).outcome).toBe('pulled');
    });

    it.each(['credHelpers', 'credsStore'])('asks the credential helper of %s', async (kind) => {
      front = await startFront(
        registry.host,
        tokenRegistry((authorization) => authorization === basic('me:helped')),
      );
      const config = kind === 'credsStore' ? { credsStore: 'test' } : { credHelpers: { [front.host]: 'test' } };
      logIn(config, { Username: 'me', Secret: 'helped' });
      expect((await puller.pull(`${front.host}/private`)).outcome).toBe('pulled');
    });

    it("exchanges a helper's identity token", async () => {
      front = await startFront(
        registry.host,
        tokenRegistry(
          (authorization, form) =>
            authorization === undefined &&
            form.get('grant_type') === 'refresh_token' &&
            form.get('refresh_token') === 'identity',
        ),
      );
      logIn({ credsStore: 'test' }, { Username: '<token>', Secret: 'identity' });
      expect((await puller.pull(`${front.host}/private`)).outcome).toBe('pulled');
    });

    it('answers a Basic challenge with the credentials', async () => {
      front = await startFront(registry.host, (request, response) => {
        if (request.headers.authorization === basic('me:secret')) return false;
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
        return true;
      });
      logIn({ auths: { [front.host]: { auth: Buffer.from('me:secret').toString('base64') } } });
      expect((await puller.pull(`${front.host}/private`)).outcome).toBe('pulled');
    });

    it.each([
      ['wants a log-in', () => false],
      ['refuses the one there is', (authorization: string | undefined) => authorization === basic('somebody:else')],
    ])('says how to log in when the registry %s', async (_name, accepts) => {
      front = await startFront(registry.host, tokenRegistry(accepts));
      await expect(puller.pull(`${front.host}/private`)).rejects.toMatchObject({
        code: 'registry_denied',
        hint: expect.stringContaining(`docker login ${front.host}`),
      });
    });

    it('gets a new token when the old one has run out between two requests', async () => {
      let left = 2;
      const accept = tokenRegistry(() => {
        left = 2;
        return true;
      });
      front = await startFront(registry.host, async (request, response, self) => {
        if (request.headers.authorization === undefined || left-- > 0) return await accept(request, response, self);
        response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${self.host}/token"` }).end();
        return true;
      });
      expect((await puller.pull(`${front.host}/private`)).outcome).toBe('pulled');
      expect(front.seen.filter(({ url }) => url.startsWith('/token')).length).toBeGreaterThan(1);
    });

    it('keeps the credentials to itself when a layer comes from another server', async () => {
      const other = await startFront(registry.host, () => false);
      const accept = tokenRegistry(() => true);
      front = await startFront(registry.host, async (request, response, self) => {
        if (await accept(request, response, self)) return true;
        if (!(request.url ?? '').includes('/blobs/')) return false;
        response.writeHead(307, { location: `http://${other.host}${request.url}` }).end();
        return true;
      });
      try {
        await puller.pull(`${front.host}/private`);
        expect(other.seen.length).toBeGreaterThan(0);
        expect(other.seen.map(({ authorization }) => authorization)).toEqual(other.seen.map(() => undefined));
      } finally {
        await other.stop();
      }
    });

    it('sends no credentials to a token server that is elsewhere and not encrypted', async () => {
      front = await startFront(registry.host, (_request, response) => {
        response.writeHead(401, { 'www-authenticate': 'Bearer realm="http://192.0.2.1/token"' }).end();
        return true;
      });
      logIn({ auths: { [front.host]: { auth: Buffer.from('me:secret').toString('base64') } } });
      await expect(puller.pull(`${front.host}/private`)).rejects.toMatchObject({
        code: 'registry_error',
        message: expect.stringContaining('http://192.0.2.1/token'),
      });
    });
  },
);
