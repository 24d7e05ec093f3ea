// An apt repository and a Cargo registry on loopback that show nothing without their logins.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join, normalize } from 'node:path';

export interface LockedRegistry extends AsyncDisposable {
  readonly port: number;
  /** What was asked for with a wrong login or none */
  readonly refused: readonly string[];
}

export interface RegistryLogins {
  /** `user:password` of the repository under /apt */
  readonly apt: string;
  /** Token of the registry under /cargo */
  readonly cargo: string;
}

export async function openLockedRegistry(logins: RegistryLogins): Promise<LockedRegistry> {
  const folder = mkdtempSync(join(tmpdir(), 'pyro-locked-'));
  const refused: string[] = [];
  const basic = `Basic ${Buffer.from(logins.apt).toString('base64')}`;
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://x').pathname);
    const wanted = path.startsWith('/apt/') ? basic : logins.cargo;
    if (request.headers.authorization !== wanted) {
      refused.push(path);
      response.writeHead(401, { 'www-authenticate': 'Basic realm="locked"' }).end();
      return;
    }
    try {
      response.end(readFileSync(join(folder, path)));
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  makeRepository(folder);
  makeRegistry(folder, port);
  return {
    port,
    refused,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function put(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

/** One package, `hello-pyro`, for Debian 12. */
function makeRepository(folder: string): void {
  const control = 'Package: hello-pyro\nVersion: 1.0\nArchitecture: all\nMaintainer: a <a@example.com>\n';
  const tree = join(folder, 'tree');
  put(join(tree, 'DEBIAN', 'control'), `${control}Description: hello\n`);
  put(join(tree, 'usr', 'share', 'hello-pyro'), 'from the locked repository\n');
  mkdirSync(join(folder, 'apt', 'pool'), { recursive: true });
  const deb = join(folder, 'apt', 'pool', 'hello-pyro.deb');
  execFileSync('dpkg-deb', ['--root-owner-group', '-b', tree, deb], { stdio: 'ignore' });
  const bytes = readFileSync(deb);
  const place = `Filename: pool/hello-pyro.deb\nSize: ${bytes.length}\nSHA256: ${sha256(bytes)}\n`;
  const packages = `${control}${place}Description: hello\n`;
  const suite = join(folder, 'apt', 'dists', 'bookworm');
  put(join(suite, 'main', 'binary-amd64', 'Packages'), packages);
  const head = `Suite: bookworm\nCodename: bookworm\nArchitectures: amd64\nComponents: main\nDate: ${new Date().toUTCString()}\n`;
  const listed = ` ${sha256(packages)} ${packages.length} main/binary-amd64/Packages\n`;
  put(join(suite, 'Release'), `${head}SHA256:\n${listed}`);
}

/** One crate, `hello`, of a registry that asks for the token everywhere. */
function makeRegistry(folder: string, port: number): void {
  const root = join(folder, 'cargo');
  put(join(folder, 'hello-1.0.0', 'Cargo.toml'), '[package]\nname = "hello"\nversion = "1.0.0"\nedition = "2021"\n');
  put(join(folder, 'hello-1.0.0', 'src', 'lib.rs'), '');
  mkdirSync(join(root, 'crates'), { recursive: true });
  execFileSync('tar', ['-czf', join(root, 'crates', 'hello-1.0.0.crate'), '-C', folder, 'hello-1.0.0']);
  const cksum = sha256(readFileSync(join(root, 'crates', 'hello-1.0.0.crate')));
  const dl = `http://host.pyro.internal:${port}/cargo/crates/{crate}-{version}.crate`;
  put(join(root, 'index', 'config.json'), JSON.stringify({ dl, 'auth-required': true }));
  const entry = { name: 'hello', vers: '1.0.0', deps: [], cksum, features: {}, yanked: false };
  put(join(root, 'index', 'he', 'll', 'hello'), `${JSON.stringify(entry)}\n`);
}

function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
