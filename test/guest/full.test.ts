// Shells and services of a workspace in a real guest: full-screen programs, a web application, another daemon.
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServiceLogsOutput, ServiceStartInput, ServiceView } from '../../src/contract/services.ts';
import type { ShellReadInput, ShellReadOutput } from '../../src/contract/shells.ts';
import type { NetworkCeiling } from '../../src/shared/policy-types.ts';
import { call, createRequest, exec, fileWriteRequest, openTestEngine, type TestEngine } from '../support/engine.ts';

let engine: TestEngine;
let id: string;

beforeAll(async () => {
  engine = await openTestEngine();
  id = (await engine.workspaces().create({ ...createRequest, name: 'full' }, call())).workspace_id;
  await bringTools();
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
});

async function open(): Promise<string> {
  const request = { cols: 80, rows: 24, env: { PS1: 'pyro$ ' }, secret_env: {} };
  const shell = await engine.workspaces().shells.open({ ...request, workspace_id: id }, call());
  await read(shell.shell_id, { wait_for: '/[$#] $/', wait_seconds: 60 });
  return shell.shell_id;
}

async function read(shell: string, request: Partial<ShellReadInput>): Promise<ShellReadOutput> {
  const usual = {
    cursor: 0,
    max_chars: 65_536,
    plain: true,
    screen: false,
    redraw: false,
    wait_seconds: 60,
  };
  return await engine.workspaces().shells.read({ ...usual, ...request, workspace_id: id, shell_id: shell }, call());
}

async function type(shell: string, input: string, append_newline = true): Promise<number> {
  return (await engine.workspaces().shells.write({ workspace_id: id, shell_id: shell, input, append_newline }, call()))
    .output_bytes;
}

/** The screen, once it shows what is expected; a read of a shell that has nothing to say comes back at once. */
async function screenWith(shell: string, expected: RegExp): Promise<ShellReadOutput> {
  for (const until = Date.now() + 60_000; ; await sleep(50)) {
    const result = await read(shell, { screen: true, wait_for_idle_ms: 300 });
    if (expected.test(result.screen?.lines.join('\n') ?? '') || Date.now() > until) {
      expect(result.screen?.lines.join('\n')).toMatch(expected);
      return result;
    }
  }
}

/** Puts programs into the guest that debian:12 lacks, from the Debian packages that `make setup` has fetched. */
async function bringTools(): Promise<void> {
  const sourcePath = new URL('../../.tools/debs', import.meta.url).pathname;
  if (!existsSync(sourcePath)) return;
  await engine
    .workspaces()
    .syncPush({ workspace_id: id, source_path: sourcePath, dest: '/opt/debs', delete: false, dry_run: false }, call());
  const line = `cd /opt && for deb in debs/*.deb; do dpkg-deb -x "$deb" tools; done
for name in less vim.tiny python3.11; do ln -s "$(find /opt/tools -type f -path "*/bin/$name")" "/usr/local/bin/$name"; done
cd /usr/local/bin && mv vim.tiny vim && mv python3.11 python3`;
  expect(await exec(engine, id, line)).toMatchObject({ stderr: '', exit_code: 0 });
}

const has = async (program: string): Promise<boolean> =>
  (await exec(engine, id, `command -v ${program}`)).exit_code === 0;

describe('a shell in a guest', () => {
  it('runs commands with the variables of the image, and is interrupted in its foreground job', async () => {
    const shell = await open();
    let cursor = await type(shell, 'cd /tmp; echo "$PWD" $((6*7)) $TERM; tty');
    const first = await read(shell, { cursor, wait_for: '/dev/pts/' });
    expect(first.output).toContain('/tmp 42 xterm-256color');
    cursor = await type(shell, 'sleep 1000; echo not re"ach"ed');
    await read(shell, { cursor, wait_for_idle_ms: 500 });
    await engine.workspaces().shells.signal({ workspace_id: id, shell_id: shell, signal_name: 'INT' }, call());
    await read(shell, { cursor, wait_for: '/[$#] $/' });
    cursor = await type(shell, 'echo "code:$?"');
    expect((await read(shell, { cursor, wait_for: '/code:\\d+/' })).output).toContain('code:130');
    await engine.workspaces().shells.resize({ workspace_id: id, shell_id: shell, cols: 100, rows: 40 }, call());
    cursor = await type(shell, 'stty size');
    expect((await read(shell, { cursor, wait_for: '40 100' })).matched).toBe(true);
    const closed = await engine.workspaces().shells.close({ workspace_id: id, shell_id: shell }, call());
    expect(closed.state).toBe('stopped');
    expect((await engine.workspaces().shells.list({ workspace_id: id }, call())).shells).toEqual([]);
  });

  it('loses no byte of 10 MB', async () => {
    const shell = await open();
    const line = `stty -echo -onlcr; seq -s "" -f %08.0f 1 1250000; echo ov""er`;
    const begin = await type(shell, line);
    let text = '';
    for (let cursor = begin; !text.includes('over') && text.length < 20_000_000; ) {
      const page = await read(shell, { cursor, plain: false, max_chars: 1_048_576 });
      expect(page.dropped_bytes).toBe(0);
      cursor = page.next_cursor;
      text += page.output;
    }
    const first = text.indexOf('00000001');
    const numbers = text.slice(first, text.indexOf('\n', first));
    expect(numbers.length).toBe(10_000_000);
    for (let at = 0; at < 1_250_000; at++) {
      if (Number(numbers.slice(at * 8, at * 8 + 8)) !== at + 1) throw new Error(`wrong at number ${at}`);
    }
    await engine.workspaces().shells.close({ workspace_id: id, shell_id: shell }, call());
  });

  it.for([
    {
      program: 'vim',
      line: 'vim -u NONE -n /tmp/edited',
      shows: /~/,
      keys: ['ihello from vim', '\u001b', ':wq\r'],
      proof: 'hello from vim',
    },
    {
      program: 'less',
      line: 'seq 1 100 > /tmp/many; less /tmp/many',
      shows: /^1\n2\n/,
      keys: ['G', 'q'],
      proof: undefined,
    },
    { program: 'top', line: 'top', shows: /PID\s+USER/, keys: ['q'], proof: undefined },
    { program: 'python3', line: 'python3 -q', shows: />>>/, keys: ['print(6*7)\r', 'exit()\r'], proof: undefined },
  ])('drives $program', async ({ program, line, shows, keys, proof }, { skip }) => {
    if (!(await has(program))) skip(`debian:12 has no ${program}, and .tools/debs neither: make setup gets it`);
    const shell = await open();
    await type(shell, line);
    await screenWith(shell, shows);
    for (const key of keys) {
      await type(shell, key, false);
      await read(shell, { wait_for_idle_ms: 300 });
    }
    const cursor = await type(shell, 'echo ba""ck');
    expect((await read(shell, { cursor, wait_for: 'back' })).matched).toBe(true);
    if (proof !== undefined) expect((await exec(engine, id, 'cat /tmp/edited')).stdout).toContain(proof);
    await engine.workspaces().shells.close({ workspace_id: id, shell_id: shell }, call());
  });

  it('drives a full-screen program made of escape sequences alone', async () => {
    const shell = await open();
    await type(
      shell,
      `printf '\\033[?1049h\\033[2J\\033[3;5Hmenu\\033[5;5H> one\\033[6;5H  two\\033[24;1Hq to quit'; read -rsn1 key; printf '\\033[?1049l'; echo "key:$key"`,
    );
    const { screen } = await screenWith(shell, /q to quit/);
    expect(screen).toMatchObject({ is_alternate: true });
    expect(screen?.lines.slice(2, 6)).toEqual(['    menu', '', '    > one', '      two']);
    const cursor = await type(shell, 'q', false);
    await read(shell, { cursor, wait_for: 'key:q' });
    expect((await read(shell, { screen: true })).screen?.is_alternate).toBe(false);
    await engine.workspaces().shells.close({ workspace_id: id, shell_id: shell }, call());
  });
});

const server = `use IO::Socket::INET; $| = 1; $SIG{CHLD} = 'IGNORE';
my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 8080, Listen => 16, ReuseAddr => 1) or die "no port: $!";
print "listening\\n";
while (my $c = $s->accept) {
  next if fork;
  my $line = <$c>;
  my ($path) = $line =~ m{ (\\S+)};
  open my $f, '<', '/workspace/app/count'; my $n = <$f>; chomp $n;
  print "served $path\\n";
  print $c $path eq '/health' ? "HTTP/1.0 200 OK\\r\\n\\r\\ncount $n\\n" : "HTTP/1.0 404 No\\r\\n\\r\\n";
  exit;
}`;
const app = `mkdir -p app; echo 0 > app/count
( while :; do n=$(cat app/count); echo $((n+1)) > app/next; mv app/next app/count; sleep 1; done ) &
exec perl server.pl`;

async function start(request: Partial<ServiceStartInput>, network?: NetworkCeiling): Promise<ServiceView> {
  const usual: Omit<ServiceStartInput, 'workspace_id'> = {
    service_name: 'web',
    command: 'sh app.sh',
    env: {},
    secret_env: {},
    ready_tcp: '8080',
    ready_http: 'http://localhost:8080/health',
    ready_timeout_seconds: 120,
    ready_interval_ms: 200,
    restart_policy: 'always',
    published_ports: [],
    wait_seconds: 120,
  };
  return await engine.workspaces().services.start({ ...usual, ...request, workspace_id: id }, call({ network }));
}

async function logs(cursor: number | undefined, wait_seconds = 0): Promise<ServiceLogsOutput> {
  const request = { service_name: 'web', stream: 'stdout' as const, tail_lines: 200, all: false, limit: 65_536 };
  return await engine.workspaces().services.logs({ ...request, workspace_id: id, cursor, wait_seconds }, call());
}

async function until(check: (view: ServiceView) => boolean): Promise<ServiceView> {
  for (let turn = 0; ; turn++) {
    const view = await engine.workspaces().services.status({ workspace_id: id, service_name: 'web' }, call());
    if (check(view) || turn === 600) return view;
    await sleep(100);
  }
}

/** Asks the application from inside the guest; perl is in every Debian. */
async function ask(): Promise<string> {
  const line = `perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new("127.0.0.1:8080") or die; print $s "GET /health HTTP/1.0\\r\\n\\r\\n"; print <$s>'`;
  return (await exec(engine, id, line)).stdout;
}

// The life of one service.
describe('a web application as a service', { shuffle: false }, () => {
  it('of several processes is started, ready by port and by page, and answers', async () => {
    for (const [path, text] of [
      ['server.pl', server],
      ['app.sh', app],
    ] as const) {
      const write = { ...fileWriteRequest, path, text };
      await engine.workspaces().fileWrite({ ...write, workspace_id: id }, call());
    }
    const view = await start({});
    expect(view).toMatchObject({ state: 'running', restart_count: 0, readiness: [{ type: 'tcp' }, { type: 'http' }] });
    expect(await ask()).toMatch(/200 OK[\s\S]*count \d+/);
    const status = await engine.workspaces().status({ workspace_id: id }, call());
    expect(status).toMatchObject({ service_count: 1, running_service_count: 1 });
  });

  it('has its logs followed', async () => {
    const before = await logs(undefined);
    expect(before.stdout).toContain('listening\n');
    const following = logs(before.stdout_bytes, 60);
    await ask();
    expect((await following).stdout).toContain('served /health');
  });

  it('comes back when it is killed', async () => {
    const { pid } = await until(({ state }) => state === 'running');
    await exec(engine, id, `kill -9 ${pid}`);
    const view = await until(({ state, restart_count: count }) => state === 'running' && count === 1);
    expect(view).toMatchObject({ state: 'running', restart_count: 1 });
    expect(view.pid).not.toBe(pid);
    expect(await ask()).toContain('200 OK');
  });

  it('goes on with another daemon, which brings it back when it is killed then', async () => {
    const shell = await open();
    const cursor = await type(shell, 'for i in 1 2 3 4 5 6 7 8; do echo tick $i; sleep 1; done');
    const { pid, stdout_bytes: bytes } = await until(({ state }) => state === 'running');
    await engine.reopen();
    const again = await until(({ state }) => state === 'running');
    expect(again).toMatchObject({ pid, restart_count: 1 });
    await ask();
    expect((await logs(bytes, 60_000)).stdout).toContain('served /health');
    const ticks = await read(shell, { cursor, wait_for: 'tick 8' });
    expect(ticks.output).toContain(Array.from({ length: 8 }, (_, index) => `tick ${index + 1}`).join('\n'));
    await exec(engine, id, `kill -9 ${pid}`);
    expect(await until(({ state, restart_count: count }) => state === 'running' && count === 2)).toMatchObject({
      state: 'running',
    });
  });

  it('comes back with its guest, and stays away once it is stopped', async () => {
    await engine.workspaces().stop({ workspace_id: id }, call());
    const off = await engine.workspaces().services.status({ workspace_id: id, service_name: 'web' }, call());
    expect(off).toMatchObject({ state: 'stopped', stop_reason: 'workspace_stopped' });
    expect((await engine.workspaces().shells.list({ workspace_id: id }, call())).shells.every(({ lost }) => lost)).toBe(
      true,
    );
    await engine.workspaces().start({ workspace_id: id }, call());
    expect(await until(({ state }) => state === 'running')).toMatchObject({ state: 'running', restart_count: 3 });
    expect(await ask()).toContain('200 OK');
    const stopped = await engine.workspaces().services.stop({ workspace_id: id, service_name: 'web' }, call());
    expect(stopped).toMatchObject({ state: 'stopped', stop_reason: 'sigterm' });
    expect(await ask()).toBe('');
  });

  it.each([
    ['off', 'published-ports'],
    ['egress', 'egress+published-ports'],
  ] as const)('gets no port of the host from a server that permits %s, and is told of %s', async (policy, needed) => {
    const request = { service_name: 'port', published_ports: [{ guest_port: 8080 }] };
    await expect(start(request, { policy, allow: [], packageSources: 'none' })).rejects.toMatchObject({
      code: 'ports_unavailable',
      hint: expect.stringMatching(new RegExp(` --network-policy ${needed.replace('+', '.')}$`)),
    });
  });
});
