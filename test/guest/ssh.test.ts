// A real sshd on the loopback of the host, reached from a guest: key exchange, commands, bytes both ways, and Git over it.
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, it, type TestContext } from 'vitest';
import { readConnectionLog } from '../../src/network/connection-log.ts';
import { makeGrant } from '../../src/network/policy.ts';
import { type NetworkGuest, openNetworkGuest } from '../support/network-guest.ts';
import { openSshServer, type SshServer } from '../support/ssh-server.ts';

const host = 'host.pyro.internal';
let guest: NetworkGuest;
let server: SshServer | undefined;
let missing = '';

beforeAll(async () => {
  const opened = await openSshServer();
  if ('missing' in opened) missing = opened.missing;
  else server = opened;
  guest = await openNetworkGuest();
  if (server === undefined) return;
  await guest.grant(makeGrant('egress', [`${host}:${server.port}`]));
  if ((await guest.run('command -v ssh ssh-keygen git')).exitCode !== 0) {
    missing = 'the environment has no ssh or no git';
    return;
  }
  // The private key is made in the guest and stays there; the host's key is known, so a wrong one would be refused.
  const { text } = await guest.run(
    `mkdir -p -m 700 ~/.ssh && ssh-keygen -q -t ed25519 -N '' -C '' -f ~/.ssh/id_ed25519 && echo '[${host}]:${server.port} ${server.hostKey}' > ~/.ssh/known_hosts && cat ~/.ssh/id_ed25519.pub`,
  );
  server.authorize(text);
});
afterAll(async () => {
  await guest[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

/** The server, or a skip with the reason why there is none. */
function needsServer(skip: TestContext['skip']): SshServer {
  if (server === undefined || missing !== '') skip(missing);
  if (server === undefined) throw new Error('skipped');
  return server;
}
const ssh = ({ port, user }: SshServer): string =>
  `ssh -o StrictHostKeyChecking=yes -o BatchMode=yes -o ConnectTimeout=60 -p ${port} ${user}@${host}`;

it('logs in by key and runs a command, with its exit code and its standard input', async ({ skip }) => {
  const sshd = needsServer(skip);
  const before = (await readConnectionLog(guest.logPath, { limit: 1000 })).attempts.length;
  const { text, exitCode } = await guest.run(`echo words | ${ssh(sshd)} 'echo "from $USER"; cat; exit 7'`);
  expect({ text, exitCode, log: sshd.log() }).toMatchObject({ text: `from ${sshd.user}\nwords\n`, exitCode: 7 });
  expect(sshd.log()).toContain(`Accepted publickey for ${sshd.user}`);
  const { attempts } = await readConnectionLog(guest.logPath, { limit: 1000 });
  expect(attempts.slice(before)).toMatchObject([{ name: host, port: sshd.port, verdict: 'allowed' }]);
});

it('carries a megabyte each way unchanged', async ({ skip }) => {
  const sshd = needsServer(skip);
  const sum = createHash('sha256')
    .update(Buffer.alloc(1 << 20, 'pyro'))
    .digest('hex');
  const { text } = await guest.run(
    `perl -e 'print "pyro" x 262144' | ${ssh(sshd)} 'tee /dev/stderr 2>&1 >/dev/null' | sha256sum`,
  );
  expect(text).toContain(sum);
});

it('clones and pushes with Git', async ({ skip }) => {
  const sshd = needsServer(skip);
  const url = `ssh://${sshd.user}@${host}:${sshd.port}${sshd.repositoryPath}`;
  const clone = await guest.run(`git clone -q ${url} /tmp/over-ssh && git -C /tmp/over-ssh rev-parse HEAD`);
  expect(clone).toMatchObject({ text: `${sshd.commit}\n`, exitCode: 0 });
  expect((await guest.run('cat /tmp/over-ssh/file')).text).toBe('over ssh\n');
  const commit = 'git -c user.name=a -c user.email=a@example.com commit -q --allow-empty -m second';
  const push = await guest.run(`cd /tmp/over-ssh && ${commit} && git push -q origin HEAD:second && git rev-parse HEAD`);
  expect(push).toMatchObject({ exitCode: 0 });
  const listed = await guest.run(`git ls-remote ${url} second`);
  expect(listed.text).toBe(`${push.text.trim()}\trefs/heads/second\n`);
});

it('goes by the proxy, too, for an ssh that is told to', async ({ skip }) => {
  const sshd = needsServer(skip);
  // netcat is not in the environment; this speaks CONNECT as one would.
  const proxy = `perl -MIO::Socket -MIO::Select -e '$s = IO::Socket::INET->new("127.0.0.1:3128"); syswrite $s, "CONNECT $ARGV[0]:$ARGV[1] HTTP/1.1\\r\\n\\r\\n"; sysread $s, $h, 39; $l = IO::Select->new($s, \\*STDIN); while (1) { for $r ($l->can_read) { sysread($r, $b, 65536) or exit; syswrite $r == $s ? \\*STDOUT : $s, $b } }' %h %p`;
  await guest.run(`cat > ~/.ssh/config <<'E'\nHost ${host}\n  ProxyCommand ${proxy}\nE`);
  const { text, exitCode } = await guest.run(`${ssh(sshd)} echo by the proxy; rm ~/.ssh/config`);
  expect({ text, exitCode }).toEqual({ text: 'by the proxy\n', exitCode: 0 });
});

it('does not let in a stranger, nor trust another host key', async ({ skip }) => {
  const sshd = needsServer(skip);
  const stranger = `ssh-keygen -q -t ed25519 -N '' -f /tmp/other && ${ssh(sshd).replace('ssh ', 'ssh -i /tmp/other -o IdentitiesOnly=yes ')} true`;
  expect((await guest.run(stranger)).text).toContain('Permission denied (publickey)');
  const swapped = `echo "[${host}]:${sshd.port} $(cut -d' ' -f1,2 /tmp/other.pub)" > /tmp/known && ${ssh(sshd).replace('ssh ', 'ssh -o UserKnownHostsFile=/tmp/known ')} true`;
  expect((await guest.run(swapped)).text).toContain('Host key verification failed');
});
