// Guests that do what they can to be a bad neighbour: processes, disk, processor and network, again and again until the end.
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Random } from '../support/random-tree.ts';
import type { Journal } from './journal.ts';
import { type Structure, type ToolClient, ToolFailure } from './tool-client.ts';

export interface Attack {
  readonly name: string;
  /** A line of shell that never ends by itself */
  readonly command: (port: number) => string;
  /** How long it goes on before the guest is reset, `s` */
  readonly roundSeconds: number;
  readonly create: Structure;
}

const floods = String.raw`
use IO::Socket; $SIG{PIPE} = 'IGNORE'; my @open; my $turn = 0; $| = 1;
sub to { IO::Socket::INET->new(PeerAddr => $_[0], PeerPort => $_[1], Timeout => 2) }
while (1) {
  $turn++; print "$turn\n";
  for (1 .. 40) { my $s = to('host.pyro.internal', $port) or next; syswrite $s, "E\n"; push @open, $s }
  for (1 .. 40) {
    my $s = to('127.0.0.1', 3128) or next;
    syswrite $s, $_ % 2 ? "CONNECT host-$turn-$_.example:443 HTTP/1.1\r\n\r\n" : "GET http://10.0.0.$_/ HTTP/1.1\r\nHost: x\r\n\r\n";
    push @open, $s;
  }
  if (my $s = to('127.0.0.1', 3128)) { syswrite $s, "x" x 65536 for 1 .. 16 }
  if (my $s = to('host.pyro.internal', $port)) { syswrite $s, "D"; my $n = 0; while (my $r = sysread $s, my $b, 1 << 20) { $n += $r } }
  if (my $u = IO::Socket::INET->new(PeerAddr => '10.0.0.1', PeerPort => 53, Proto => 'udp')) { send $u, "x" x 512, 0 for 1 .. 500 }
  splice @open, 0, 100 if @open > 300;
}`;

export const attacks: readonly Attack[] = [
  {
    name: 'fork bomb',
    command: () => 'while :; do (bomb() { bomb | bomb & }; bomb) 2>/dev/null; sleep 1; done',
    roundSeconds: 40,
    create: {},
  },
  {
    name: 'disk filler',
    command: () =>
      'while :; do yes 0123456789abcdef | head -c 64M > fill; sync; fallocate -l $(($(stat -fc "%a*%S" .) - 8388608)) rest; yes 0123456789abcdef > end 2>/dev/null || echo full; sync; rm -f fill rest end; mkdir -p many; for n in $(seq 200); do echo $n > many/file-$n; done; done',
    roundSeconds: 120,
    create: {},
  },
  {
    name: 'CPU burner',
    command: () => 'for n in 1 2 3 4; do while :; do :; done & done; wait',
    roundSeconds: 60,
    create: {},
  },
  {
    name: 'network flooder',
    command: (port) => `perl -e '${floods.replaceAll('$port', String(port)).replaceAll("'", '"')}'`,
    roundSeconds: 60,
    create: { network_policy: 'egress' },
  },
];

const sequenceSchema = z.looseObject({ sequence: z.number() });
const pageSchema = z.looseObject({ entries: z.array(z.looseObject({ stdout: z.string().default('') })) });
const startedSchema = z.looseObject({ workspace_id: z.string() });
/** What somebody may ask about a guest that misbehaves; a failure is an answer, too */
const questions: readonly (readonly [string, Structure])[] = [
  ['workspace_status', {}],
  ['workspace_exec', { command: 'ls -d /proc/[0-9]* | wc -l', wait_seconds: 5, timeout_seconds: 20 }],
  ['workspace_logs', {}],
  ['workspace_summary', {}],
  ['workspace_diff', { stat_only: true }],
  ['workspace_file_list', { path: '.', recursive: true }],
];

export interface HostileOptions {
  readonly client: ToolClient;
  readonly attack: Attack;
  readonly port: number;
  readonly random: Random;
  readonly journal: Journal;
  /** Aborted when the time is over */
  readonly isOver: AbortSignal;
  /** Told how many processes the guest has while it goes on, and what each attack has printed in the end */
  readonly onProcesses: (attack: string, count: number) => void;
  readonly onOutput: (attack: string, lines: readonly string[]) => void;
}

/** Attacks in rounds, each ended by a reset, until the time is over; then the workspace is deleted. */
export async function beHostile(options: HostileOptions): Promise<void> {
  const { client, attack, journal, isOver } = options;
  const request = { environment: 'debian:12', mem_mib: 256, name: attack.name, ...attack.create };
  const { workspace_id: id } = startedSchema.parse(await client.call('workspace_create', request));
  try {
    while (!isOver.aborted) {
      await round(id, options);
      // The way out that everybody is told of: it has to work whatever the guest does.
      await client.call('workspace_reset', { workspace_id: id });
    }
  } catch (error) {
    journal.fault(`${attack.name}: ${String(error)}`);
  }
  try {
    await client.call('workspace_delete', { workspace_id: id });
  } catch (error) {
    journal.fault(`${attack.name} stays: ${String(error)}`);
  }
}

async function round(id: string, options: HostileOptions): Promise<void> {
  const { client, attack, port, random, isOver, onProcesses, onOutput } = options;
  const command = attack.command(port);
  const request = { workspace_id: id, command, wait_seconds: 0, timeout_seconds: 86_400 };
  const { sequence } = sequenceSchema.parse(await client.call('workspace_exec', request));
  const until = Date.now() + attack.roundSeconds * 1000;
  while (Date.now() < until && !isOver.aborted) {
    await sleep(1000 + random.next(3000), undefined, { signal: isOver }).catch(() => undefined);
    const [tool, args] = random.pick(questions);
    try {
      const answer = await client.call(tool, { workspace_id: id, ...args });
      if (tool === 'workspace_exec') onProcesses(attack.name, Number(answer['stdout'] ?? 0));
    } catch (error) {
      if (!(error instanceof ToolFailure)) throw error;
    }
  }
  // What it has printed is on the host: no guest is asked for it.
  const page = { workspace_id: id, sequence, stream: 'stdout', cursor: 0, limit: 1 << 20 };
  const [entry] = pageSchema.parse(await client.call('workspace_logs', page)).entries;
  onOutput(
    attack.name,
    (entry?.stdout ?? '').split('\n').filter((line) => line !== ''),
  );
}
