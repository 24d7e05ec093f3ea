// A web application of several processes with a file as its database, as a service: used from the host through its published port.
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { killNow } from '../support/kill.ts';
import { nothing, openRealHome, outputOf, type RealHome } from '../support/real-home.ts';
import { filesWith, formsOf } from '../support/secret-search.ts';

const key = 'web-key-7f3e21';

/** Three workers that share a port; each visit is a line of a file, under a lock. */
const application = `use strict; use IO::Socket::INET; use Fcntl qw(:flock SEEK_SET); $| = 1;
my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 8080, Listen => 64, ReuseAddr => 1) or die "no port: $!";
sub visit {
  open my $file, '+>>', 'visits.db' or die "no database: $!";
  flock $file, LOCK_EX; seek $file, 0, SEEK_SET;
  my $count = () = <$file>;
  print $file "$$\\n"; close $file;
  return $count + 1;
}
sub answer {
  my ($client) = @_;
  my ($path) = (<$client> // '') =~ m{ (\\S+)};
  my $given = '';
  while (defined(my $line = <$client>)) { last if $line =~ /^\\r?\\n$/; $given = $1 if $line =~ /^x-key: (\\S+)/i }
  my ($status, $body) = $path eq '/health' ? (200, "ok\\n") : $given eq $ENV{KEY} ? (200, visit() . " $$\\n") : (403, "no\\n");
  print "$status $path with $given\\n";
  print $client "HTTP/1.1 $status X\\r\\nContent-Length: " . length($body) . "\\r\\nConnection: close\\r\\n\\r\\n$body";
  close $client;
}
for (1 .. 3) { next if fork; while (my $client = $socket->accept) { answer($client) } exit }
print "listening\\n";
$SIG{TERM} = sub { exit };
1 while wait > 0;
`;

const viewSchema = z.object({
  state: z.string(),
  pid: z.number().nullable(),
  restart_count: z.number(),
  published_ports: z.array(z.object({ host_port: z.number(), guest_port: z.number() })),
});
type View = z.infer<typeof viewSchema>;

let home: RealHome;
let id = '';
let port = 0;
let visits = 0;

beforeAll(async () => {
  home = openRealHome();
  const options = ['--empty', '--secret', 'KEY=-', '--json'];
  const creating = home.start(['workspace', 'create', 'debian:12', ...options]);
  creating.stdin?.end(key);
  id = z.object({ workspace_id: z.string() }).parse(JSON.parse(await outputOf(creating))).workspace_id;
  const writing = home.start(['workspace', 'file', 'write', id, 'app/server.pl']);
  writing.stdin?.end(application);
  await outputOf(writing);
});

afterAll(async () => {
  expect(await home.close()).toEqual(nothing);
});

async function start(): Promise<View> {
  const ready = ['--ready-http', 'http://localhost:8080/health', '--ready-timeout-seconds', '120'];
  const options = ['--cwd', 'app', '--published-port', '8080', '--secret-env', 'KEY', '--restart-policy', 'always'];
  const command = ['--', 'exec perl server.pl'];
  return await home.json(
    viewSchema,
    'workspace',
    'service',
    'start',
    id,
    'web',
    ...ready,
    ...options,
    '--json',
    ...command,
  );
}

const status = async (): Promise<View> =>
  await home.json(viewSchema, 'workspace', 'service', 'status', id, 'web', '--json');

async function visit(given = key): Promise<{ status: number; text: string }> {
  const answer = await fetch(`http://127.0.0.1:${port}/visit`, { headers: { 'x-key': given } });
  if (answer.status === 200) visits++;
  return { status: answer.status, text: await answer.text() };
}

/** Resolves once the child has printed the text. */
async function said(child: ChildProcess, output: { text: string }, text: string): Promise<void> {
  while (!output.text.includes(text)) {
    await new Promise((resolve) => child.stdout?.once('data', resolve));
  }
}

// The life of one service, from its first answer to its shell.
describe('a web service', { shuffle: false }, () => {
  it('is up when it answers, and serves many at once from several processes', async () => {
    const view = await start();
    expect(view).toMatchObject({ state: 'running', published_ports: [{ guest_port: 8080 }] });
    port = view.published_ports[0]?.host_port ?? 0;
    const answers = await Promise.all(Array.from({ length: 24 }, () => visit()));
    const lines = answers.map(({ text }) => text.trim().split(' '));
    expect(lines.map(([number]) => Number(number)).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 24 }, (_, at) => at + 1),
    );
    expect(new Set(lines.map(([, worker]) => worker)).size).toBeGreaterThan(1);
    expect(await visit('wrong')).toEqual({ status: 403, text: 'no\n' });
  });

  it('is reached from the host alone: nothing leaves the guest because of its port', async () => {
    const outside = "tail -n +3 /proc/net/dev | grep -v '^ *lo:'; curl -sS -m 20 http://192.0.2.1/";
    const tried = home.start(['workspace', 'exec', id, '--json', '--', outside]);
    tried.stdin?.end();
    const printed: Buffer[] = [];
    tried.stdout?.on('data', (chunk: Buffer) => printed.push(chunk));
    expect(await new Promise((resolve) => tried.once('close', resolve))).toBe(7);
    expect(JSON.parse(Buffer.concat(printed).toString())).toMatchObject({
      stdout: '',
      stderr: expect.stringContaining('192.0.2.1'),
      network_note: expect.stringContaining('network_policy off'),
    });
    expect((await visit('wrong')).status).toBe(403);
  });

  it('shows its log live, without the secret, until Ctrl-C, which is no failure', async () => {
    const following = home.start(['workspace', 'service', 'logs', id, 'web', '--tail-lines', '1000', '--follow']);
    const output = { text: '' };
    following.stdout?.on('data', (chunk: Buffer) => {
      output.text += chunk.toString('utf8');
    });
    const ended = new Promise<number | null>((resolve) => following.once('close', resolve));
    await said(following, output, 'listening\n');
    await said(following, output, '403 /visit with wrong\n');
    await visit();
    const served = (): number => output.text.match(/^200 \/visit with \*{14}$/gm)?.length ?? 0;
    await expect.poll(served, { timeout: 60_000 }).toBeGreaterThanOrEqual(visits);
    following.kill('SIGINT');
    expect(await ended).toBe(0);
    // Each line once: what was there and what came have no part in common.
    expect(served()).toBe(visits);
    expect(output.text).not.toContain(key);
  });

  it('is gone when it is stopped, and back at the same port with its data when it is started', async () => {
    await outputOf(home.start(['workspace', 'service', 'stop', id, 'web']));
    await expect(visit()).rejects.toThrow();
    expect((await start()).published_ports).toEqual([{ guest_port: 8080, host_port: port }]);
    expect((await visit()).text).toMatch(new RegExp(`^${visits} `));
  });

  it('goes on with another daemon at the same port, and comes back with its secret when it is killed then', async () => {
    const before = await status();
    killNow(await home.daemonPid());
    // Its port is the daemon's, and back with it.
    await expect.poll(status, { timeout: 60_000, interval: 200 }).toEqual(before);
    expect((await visit()).text).toMatch(new RegExp(`^${visits} `));
    await outputOf(home.start(['workspace', 'exec', id, '--', `kill -9 ${before.pid}`]));
    await expect
      .poll(status, { timeout: 120_000, interval: 500 })
      .toMatchObject({ state: 'running', restart_count: 1 });
    expect(await status()).toMatchObject({ published_ports: before.published_ports });
    expect((await visit()).text).toMatch(new RegExp(`^${visits} `));
    expect(filesWith(formsOf(key), join(home.folder, 'state'), { exclude: ['*.qcow2'] })).toEqual([]);
  });

  it('has a shell beside it, opened by attaching without an id', async () => {
    const attach = async (line: string): Promise<{ code: number | null; text: string }> => {
      const child = home.start(['workspace', 'shell', 'attach', id]);
      let text = '';
      child.stdout?.on('data', (chunk: Buffer) => {
        text += chunk.toString('utf8');
      });
      child.stdin?.end(line);
      return { code: await new Promise((resolve) => child.once('close', resolve)), text };
    };
    const first = await attach('where=here; echo "one$((1 + 1))"\n');
    expect(first).toMatchObject({ code: 0, text: expect.stringContaining('one2') });
    // The second finds the shell of the first, which is the only one.
    expect(await attach('echo "still $where"; exit 7\n')).toMatchObject({
      code: 7,
      text: expect.stringContaining('still here'),
    });
  });
});
