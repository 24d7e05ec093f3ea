// Measures the network of one guest against bare loopback: throughput, requests, many at once, and what a download does to commands.
//
//   node bench/network.ts [MEBIBYTES]     medians of 3 rounds; writes bench/results/ACCELERATOR-network.json
import { spawn } from 'node:child_process';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectToGuest } from '../src/agent/guest-network.ts';
import { makeGrant } from '../src/network/policy.ts';
import { PublishedPort } from '../src/network/publish.ts';
import { writeJson } from '../src/system/files.ts';
import { exchange } from '../test/support/network.ts';
import { openNetworkGuest } from '../test/support/network-guest.ts';
import { machineFacts, median } from './facts.ts';

const mebibytes = Number(process.argv[2] ?? '32');
const rounds = 3;
// The load before: on a machine that does other work the numbers are of little worth.
const factsBefore = machineFacts();

/** First byte of a connection says what it is for: D sends, U swallows, E answers each line. */
function serve(socket: Socket): void {
  socket.on('error', () => undefined);
  socket.once('data', (first: Buffer) => {
    if (first[0] === 0x44) {
      const block = Buffer.alloc(1 << 20, 7);
      for (let turn = 0; turn < mebibytes; turn++) socket.write(block);
      socket.end();
    } else if (first[0] === 0x55) socket.on('data', () => undefined).on('end', () => socket.end('done\n'));
    else {
      socket.write('ok\n');
      // A side that stays open would count as a connection under way.
      socket.on('data', () => socket.write('ok\n')).on('end', () => socket.end());
    }
  });
}

const server = createServer({ allowHalfOpen: true, noDelay: true }, serve);
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const address = server.address();
const port = typeof address === 'object' && address !== null ? address.port : 0;
await using guest = await openNetworkGuest();
await guest.grant(makeGrant('egress', [`host.pyro.internal:${port}`]));

/** A perl program, the same in the guest and on this machine; it prints seconds. */
function client(host: string, body: string): string {
  return `perl -MIO::Socket -MTime::HiRes=time -e 'sub c{IO::Socket::INET->new(PeerAddr=>"${host}",PeerPort=>${port}) or die "no connection: $!"} ${body}'`;
}
const bodies = {
  download: `$s=c();syswrite $s,"D";$t=time;$n=0;while($r=sysread $s,$b,1<<20){$n+=$r};print time-$t`,
  upload: `$s=c();syswrite $s,"U";$b="x"x(1<<20);$t=time;syswrite $s,$b for 1..${mebibytes};shutdown $s,1;<$s>;print time-$t`,
  openRequest: `$s=c();syswrite $s,"E";<$s>;$t=time;for(1..50){syswrite $s,"x\\n";<$s>}print((time-$t)/50)`,
  freshConnection: `$t=time;for(1..20){$s=c();syswrite $s,"E";<$s>}print((time-$t)/20)`,
  hundredAtOnce: `$t=time;@s=map{c()}1..100;syswrite $_,"E" for @s;$k=0;for(@s){$k++ if <$_> eq "ok\\n"}die "only $k" if $k<100;print time-$t`,
};

const bulk: readonly string[] = ['download', 'upload'];
const rows: Record<string, { guest: number; loopback: number; ratio: number; unit: string }> = {};
for (const [name, body] of Object.entries(bodies)) {
  const inGuest: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < rounds; round++) {
    // New connections are limited for each guest; after a pause a hundred at once are within the limit.
    if (name === 'hundredAtOnce') await sleep(4000);
    const end = await guest.run(client('host.pyro.internal', body), { timeoutMs: 180_000 });
    if (end.exitCode !== 0) throw new Error(`${name}: ${end.text}`);
    inGuest.push(Number(end.text));
    // Our own server runs in this process, so the bare measure must not block it.
    bare.push(await runOnHost(client('127.0.0.1', body)));
  }
  const isBulk = bulk.includes(name);
  const value = (seconds: number): number => round2(isBulk ? mebibytes / seconds : seconds * 1000);
  const [seconds, bareSeconds] = [median(inGuest), median(bare)];
  const ratio = round2(seconds / bareSeconds);
  process.stderr.write(`${name}: ${value(seconds)} ${isBulk ? 'MiB/s' : 'ms'}\n`);
  rows[name] = { guest: value(seconds), loopback: value(bareSeconds), ratio, unit: isBulk ? 'MiB/s' : 'ms' };
}

const idle = await commandMs(() => true);
let isLoading = true;
const load = (async () => {
  while (isLoading) await guest.run(client('host.pyro.internal', bodies.download), { timeoutMs: 180_000 });
})();
await sleep(500);
const busy = await commandMs(() => isLoading);
isLoading = false;
await load;

const serving = guest.run(
  `perl -MIO::Socket -e '$s=IO::Socket::INET->new(Listen=>50,LocalAddr=>"127.0.0.1",LocalPort=>8080);for(1..21){$c=$s->accept;<$c>;print $c "ok\\n";close $c}'`,
);
await using published = await PublishedPort.open({
  guestPort: 8080,
  connect: async (guestPort) => await connectToGuest(guest.client, guestPort),
});
while ((await exchange(published.hostPort, 'x\n')).length === 0) await sleep(100);
const publishedMs: number[] = [];
for (let turn = 0; turn < 20; turn++) {
  const started = performance.now();
  await exchange(published.hostPort, 'x\n');
  publishedMs.push(performance.now() - started);
}
await serving;

const result = {
  machine: factsBefore,
  accelerator: guest.accelerator,
  rounds,
  mebibytes,
  ...rows,
  exec_idle_ms: idle,
  exec_during_download_ms: busy,
  published_request_ms: round2(median(publishedMs)),
};
const folder = join(new URL('.', import.meta.url).pathname, 'results');
await writeJson(join(folder, `${guest.accelerator}-network.json`), result, 0o644);
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
server.close();

function round2(value: number): number {
  return Number(value.toFixed(2));
}

/** Median of 11 smallest commands. */
async function commandMs(isUnderWay: () => boolean): Promise<number> {
  const times: number[] = [];
  for (let turn = 0; turn < 11 && isUnderWay(); turn++) times.push((await guest.run('true')).ms);
  return Math.round(median(times));
}

async function runOnHost(line: string): Promise<number> {
  const child = spawn('sh', ['-c', line], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await new Promise((resolve) => child.once('close', resolve));
  return Number(text);
}
