// Package managers of one guest install with the settings of this machine, and reach nothing that those do not name.
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it, type TestContext } from 'vitest';
import { hostSettings } from '../../src/network/package-settings.ts';
import { findProgram } from '../../src/system/find-program.ts';
import { takeCargo } from '../support/cargo-tools.ts';
import { call, createRequest, exec, openTestEngine, type TestEngine } from '../support/engine.ts';

let engine: TestEngine;
let id = '';
/** Tools of this machine that go in with the project: to build an environment of them would take many times longer */
const tools = mkdtempSync(join(tmpdir(), 'pyro-tools-'));
const cargoHome = mkdtempSync(join(tmpdir(), 'pyro-cargo-'));
const missing = new Map<string, string>();

/** They need the network and minutes, so only the target for them runs them: make test-packages */
const isWanted = process.env['PYRO_PACKAGES'] === '1';

beforeAll(async () => {
  if (isWanted) {
    await takeNpm();
    await takePip();
    await takeGo();
    await takeUsedCargo();
  }
  writeFileSync(join(tools, 'package.json'), '{ "name": "p", "version": "1.0.0" }\n');
  engine = await openTestEngine();
  const request = { ...createRequest, seed_path: tools, package_sources: 'host' as const };
  id = (await engine.workspaces().create(request, call())).workspace_id;
}, 300_000);

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  for (const folder of [tools, cargoHome]) rmSync(folder, { recursive: true, force: true });
});

async function takeNpm(): Promise<void> {
  const npm = findProgram('npm');
  if (npm === undefined) {
    missing.set('npm', 'this machine has no npm');
    return;
  }
  cpSync(realpathSync(process.execPath), join(tools, 'node'));
  cpSync(dirname(dirname(realpathSync(npm))), join(tools, 'npm'), { recursive: true, verbatimSymlinks: true });
}

/** pip as the one file that Python brings for new environments. */
async function takePip(): Promise<void> {
  const line = 'import ensurepip, pathlib; print(*pathlib.Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl"))';
  const wheel = (await hostSettings.run('python3', ['-c', line]))?.trim() ?? '';
  if (wheel === '') missing.set('pip', 'Python of this machine brings no pip');
  else cpSync(wheel, join(tools, 'pip.whl'));
}

async function takeGo(): Promise<void> {
  const root = (await hostSettings.run('go', ['env', 'GOROOT']))?.trim();
  if (root === undefined) {
    missing.set('go', 'this machine has no go');
    return;
  }
  for (const name of ['bin/go', 'VERSION', 'go.env']) cpSync(join(root, name), join(tools, 'go', name));
  mkdirSync(join(tools, 'go', 'src'));
}

/** A cargo that this machine has used once, in a home of the test's own, as the settings of the machine. */
async function takeUsedCargo(): Promise<void> {
  if (!(await takeCargo(tools))) {
    missing.set('cargo', 'this machine has no rustc');
    return;
  }
  mkdirSync(join(tools, 'crate', 'src'), { recursive: true });
  writeFileSync(join(tools, 'crate', 'src', 'lib.rs'), '');
  const manifest = '[package]\nname = "m"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\nitoa = "=1.0.9"\n';
  writeFileSync(join(tools, 'crate', 'Cargo.toml'), manifest);
  process.env['CARGO_HOME'] = cargoHome;
  const args = ['generate-lockfile', '--manifest-path', join(tools, 'crate', 'Cargo.toml')];
  if ((await hostSettings.run(join(tools, 'cargo'), args)) === undefined)
    missing.set('cargo', 'cargo of this machine reaches no registry');
}

/** Skips with the reason where the host has no source for it, or no tool. */
async function needs(name: string, variable: string, skip: TestContext['skip']): Promise<void> {
  const why = isWanted ? missing.get(name) : 'it loads packages; make test-packages does so';
  if (why !== undefined) skip(why);
  if ((await exec(engine, id, `test -n "$${variable}"`)).exit_code !== 0)
    skip(`this machine has no source for ${name}`);
}

/** The output of a command that must succeed within its deadline. */
async function installs(command: string, seconds: number): Promise<string> {
  const started = performance.now();
  const wait = { timeout_seconds: seconds, wait_seconds: seconds };
  const result = await exec(engine, id, command, wait);
  expect(result, JSON.stringify([result.denied_connections, result.stderr])).toMatchObject({ exit_code: 0 });
  process.stdout.write(`${command.slice(0, 60)}: ${Math.round((performance.now() - started) / 1000)} s\n`);
  return result.stdout;
}

/** By apt, unless a test before has done so. */
async function bringPython(): Promise<void> {
  if ((await exec(engine, id, 'command -v python3')).exit_code === 0) return;
  await installs('apt-get update', 420);
  await installs('apt-get install -y --no-install-recommends python3', 420);
}

it('npm installs a package', async ({ skip }) => {
  await needs('npm', 'npm_config_registry', skip);
  await installs('./node npm/bin/npm-cli.js install --no-audit --no-fund is-number@7.0.0', 240);
  expect(await installs(`./node -p "require('is-number')(5)"`, 60)).toBe('true\n');
});

it('go loads a module', async ({ skip }) => {
  await needs('go', 'GOENV', skip);
  const line = 'mkdir -p /tmp/m && cd /tmp/m && printf "module m\\n\\ngo 1.20\\n" > go.mod';
  const go = 'GOROOT=/workspace/go GOTOOLCHAIN=local GOFLAGS=-mod=mod /workspace/go/bin/go mod download -json';
  expect(await installs(`${line} && ${go} github.com/pkg/errors@v0.9.1`, 180)).toContain('"Zip":');
});

it('apt-get installs a package', async ({ skip }) => {
  await needs('apt', 'APT_CONFIG', skip);
  await bringPython();
  expect(await installs('python3 -c "print(1 + 1)"', 60)).toBe('2\n');
}, 900_000);

it('pip installs a package, with the Python of apt', async ({ skip }) => {
  await needs('pip', 'PIP_CONFIG_FILE', skip);
  if ((await exec(engine, id, 'test -n "$APT_CONFIG"')).exit_code !== 0) skip('this machine has no source for apt');
  await bringPython();
  await installs('python3 pip.whl/pip install --no-compile --target /tmp/six six==1.16.0', 300);
  expect(await installs('PYTHONPATH=/tmp/six python3 -c "import six; print(six.__version__)"', 60)).toBe('1.16.0\n');
}, 900_000);

it('cargo loads a crate', async ({ skip }) => {
  await needs('cargo', 'CARGO_HTTP_CAINFO', skip);
  const line = 'cp -r crate /tmp/crate && cd /tmp/crate && chmod +x /workspace/cargo /workspace/rustc';
  await installs(`${line} && RUSTC=/workspace/rustc CARGO_HOME=/tmp/ch /workspace/cargo fetch`, 240);
  expect(await installs('ls /tmp/ch/registry/cache/*', 60)).toBe('itoa-1.0.9.crate\n');
});

it('reaches nothing else, of this machine or of the world', async () => {
  const other = createServer((socket) => socket.end('not for guests'));
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const address = other.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const line = `for url in http://1.1.1.1/ http://host.pyro.internal:${port}/ http://example.org/; do curl -sS -m 20 $url; done`;
  const result = await exec(engine, id, line);
  other.close();
  expect(result.stdout).not.toContain('not for guests');
  expect(result.denied_connections.map(({ target }) => target)).toEqual([
    '1.1.1.1:80',
    `host.pyro.internal:${port}`,
    'example.org:80',
  ]);
});

it('leaves the settings in memory, and brings them to the guest of a reset', async () => {
  const look = 'findmnt -n -o FSTYPE -T /run/pyro-packages; ls /run/pyro-packages';
  expect((await exec(engine, id, look)).stdout).toMatch(/^tmpfs\n/);
  await engine.workspaces().reset({ workspace_id: id, snapshot: 'baseline' }, call());
  const again = await exec(engine, id, `${look}; env | grep -c pyro-packages`);
  expect(again.stdout).toMatch(/^tmpfs\n[\s\S]*\n[1-9]\d*\n$/);
});

it('is refused where the server does not permit it', async () => {
  const network = { policy: 'egress', allow: [], packageSources: 'none' } as const;
  const request = { ...createRequest, package_sources: 'host' as const };
  await expect(engine.workspaces().create(request, call({ network }))).rejects.toMatchObject({
    code: 'network_refused',
  });
});
