// Measures shells, services and published ports: a key's way there and back, a start, and a port against bare loopback.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { fileWriteInput } from '../src/contract/files.ts';
import type { ServiceStartInput } from '../src/contract/services.ts';
import { mebibyte } from '../src/shared/units.ts';
import { createRequest, execRequest } from '../test/support/engine.ts';
import { machineFacts } from './facts.ts';
import { openBenchEngine, ratioIn, Watch, writeResults } from './test-engine.ts';

const rounds = 20;
const fewRounds = 5;
const bulkBytes = 32 * mebibyte;
const factsBefore = machineFacts();

const engine = await openBenchEngine();
const { workspaces, call } = engine;
const watch = new Watch();
const { timed } = watch;

/** What answers in the guest: a byte says whether a connection wants an echo of each line (E), bytes (D), or gives them (U). */
const server = `use strict; use IO::Socket::INET; $| = 1; $SIG{CHLD} = 'IGNORE';
my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 8080, Listen => 64, ReuseAddr => 1) or die;
while (my $c = $s->accept) {
  next if fork;
  binmode $c; sysread $c, my $kind, 1;
  if ($kind eq 'E') { while (sysread $c, my $b, 65536) { syswrite $c, $b } }
  elsif ($kind eq 'D') { my $b = "x" x 1048576; for (1 .. ${bulkBytes / mebibyte}) { my $o = 0; while ($o < 1048576) { my $n = syswrite($c, $b, 1048576 - $o, $o) or exit; $o += $n } } }
  else { 1 while sysread $c, my $b, 1048576; syswrite $c, "done" }
  exit;
}`;

/** The same on this machine, for what a port costs without a guest. */
function serveBare(socket: Socket): void {
  socket.on('error', () => undefined);
  socket.once('data', (first: Buffer) => {
    if (first[0] === 0x45) {
      socket.write(first.subarray(1));
      socket.on('data', (bytes: Buffer) => socket.write(bytes)).on('end', () => socket.end());
    } else if (first[0] === 0x44) {
      const block = Buffer.alloc(mebibyte, 7);
      for (let turn = 0; turn < bulkBytes / mebibyte; turn++) socket.write(block);
      socket.end();
    } else socket.on('data', () => undefined).on('end', () => socket.end('done'));
  });
}

async function open(port: number, kind: 'E' | 'D' | 'U'): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  await once(socket, 'connect');
  socket.write(kind);
  return socket;
}

async function measurePort(name: string, port: number): Promise<void> {
  const echo = await open(port, 'E');
  for (let turn = -2; turn < rounds; turn++) {
    const exchange = async (): Promise<void> => {
      echo.write('x\n');
      await once(echo, 'data');
    };
    await (turn < 0 ? exchange() : timed(`${name}_round_trip_ms`, exchange));
  }
  echo.destroy();
  for (let turn = 0; turn < fewRounds; turn++) {
    await timed(`${name}_fresh_connection_ms`, async () => {
      const socket = await open(port, 'E');
      socket.write('x\n');
      await once(socket, 'data');
      socket.destroy();
    });
    await timed(`${name}_receive_ms`, async () => {
      const socket = await open(port, 'D');
      let size = 0;
      for await (const chunk of socket) size += Buffer.from(chunk).length;
      if (size !== bulkBytes) throw new Error(`${name}: ${size} of ${bulkBytes} bytes came`);
    });
    await timed(`${name}_send_ms`, async () => {
      const socket = await open(port, 'U');
      socket.end(Buffer.alloc(bulkBytes, 7));
      let answer = '';
      for await (const chunk of socket) answer += String(chunk);
      if (answer !== 'done') throw new Error(`${name}: the other side did not take all`);
    });
  }
}

async function measureShell(id: string): Promise<void> {
  const { shells } = workspaces;
  const openRequest = { cols: 80, rows: 24, env: {}, secret_env: {} };
  const readRequest = {
    cursor: 0,
    max_chars: 65_536,
    plain: false,
    screen: false,
    redraw: false,
    wait_seconds: 60,
  };
  for (let turn = 0; turn < fewRounds; turn++) {
    const shell = await timed('shell_open_to_prompt_ms', async () => {
      const opened = await shells.open({ ...openRequest, workspace_id: id }, call);
      const { matched } = await shells.read(
        { ...readRequest, workspace_id: id, shell_id: opened.shell_id, wait_for: '/[$#] $/' },
        call,
      );
      if (matched !== true) throw new Error('no prompt came');
      return opened.shell_id;
    });
    const place = { workspace_id: id, shell_id: shell };
    let { output_bytes: cursor } = await shells.write({ ...place, input: 'cat', append_newline: true }, call);
    await shells.read({ ...place, ...readRequest, cursor, wait_for_idle_ms: 500 }, call);
    for (let key = 0; key < rounds; key++) {
      cursor = (await shells.read({ ...place, ...readRequest, cursor, wait_seconds: 0 }, call)).next_cursor;
      await timed('shell_key_echo_ms', async () => {
        await shells.write({ ...place, input: 'k', append_newline: false }, call);
        cursor = (await shells.read({ ...place, ...readRequest, cursor }, call)).next_cursor;
      });
    }
    await shells.close(place, call);
  }
}

const service: Omit<ServiceStartInput, 'workspace_id'> = {
  service_name: 'bare',
  command: 'exec sleep 1000',
  env: {},
  secret_env: {},
  ready_timeout_seconds: 120,
  ready_interval_ms: 50,
  restart_policy: 'never',
  published_ports: [],
  wait_seconds: 120,
};

/** What a service costs beside a command that does as little. */
async function measureServices(id: string): Promise<void> {
  await workspaces.exec({ ...execRequest, workspace_id: id }, call);
  for (let turn = 0; turn < fewRounds; turn++) {
    await timed('exec_true_ms', () => workspaces.exec({ ...execRequest, workspace_id: id }, call));
    await timed('service_start_ms', () => workspaces.services.start({ ...service, workspace_id: id }, call));
    await timed('service_stop_ms', () => workspaces.services.stop({ workspace_id: id, service_name: 'bare' }, call));
    // A probe that is a command costs a command.
    await timed('service_start_until_ready_ms', () =>
      workspaces.services.start({ ...service, workspace_id: id, ready_command: 'true' }, call),
    );
    await workspaces.services.stop({ workspace_id: id, service_name: 'bare' }, call);
  }
}

async function measure(): Promise<string> {
  const request = { ...createRequest, network_policy: 'egress+published-ports' } as const;
  const { workspace_id: id } = await workspaces.create(request, call);
  await measureShell(id);
  await measureServices(id);
  const write = {
    path: 'server.pl',
    text: server,
  };
  await workspaces.fileWrite(fileWriteInput.parse({ ...write, workspace_id: id }), call);
  const web = {
    ...service,
    service_name: 'web',
    command: 'exec perl server.pl',
    ready_tcp: '8080',
    published_ports: [{ guest_port: 8080 }],
  };
  const { published_ports: ports } = await timed('service_start_until_port_ms', () =>
    workspaces.services.start({ ...web, workspace_id: id }, call),
  );
  await measurePort('port', ports[0]?.host_port ?? 0);
  const bare = createServer({ allowHalfOpen: true, noDelay: true }, serveBare).listen(0, '127.0.0.1');
  await once(bare, 'listening');
  const address = bare.address();
  await measurePort('loopback', typeof address === 'object' && address !== null ? address.port : 0);
  bare.close();
  return (await workspaces.status({ workspace_id: id }, call)).accelerator;
}

let accelerator = 'none';
try {
  accelerator = await measure();
} finally {
  await engine[Symbol.asyncDispose]();
}

const medians = watch.medians(2);
const ratio = (above: string, below: string): number => ratioIn(medians, above, below);
const rate = (name: string): number => Math.round(bulkBytes / mebibyte / ((medians[name] ?? 0) / 1000));
const results = {
  machine: factsBefore,
  accelerator,
  rounds,
  bulk_mib: bulkBytes / mebibyte,
  ...medians,
  port_receive_mib_per_second: rate('port_receive_ms'),
  port_send_mib_per_second: rate('port_send_ms'),
  loopback_receive_mib_per_second: rate('loopback_receive_ms'),
  loopback_send_mib_per_second: rate('loopback_send_ms'),
  ratios: {
    port_to_loopback_round_trip: ratio('port_round_trip_ms', 'loopback_round_trip_ms'),
    service_start_until_ready_to_exec: ratio('service_start_until_ready_ms', 'exec_true_ms'),
  },
};
await writeResults(accelerator, 'full-profile', results);
