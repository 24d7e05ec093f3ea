// A real sshd of OpenSSH on loopback: unpacked, not installed, as a user of its own, with a Git repository and keys of its own.
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findProgram } from '../../src/system/find-program.ts';
import { gitIn } from './hairy-repository.ts';
import { openService } from './network.ts';

export interface SshServer extends AsyncDisposable {
  readonly port: number;
  readonly user: string;
  /** Line of known_hosts, without the host's name */
  readonly hostKey: string;
  readonly repositoryPath: string;
  /** HEAD of the repository */
  readonly commit: string;
  /** Lets the holder of a key in, as authorized_keys has it. */
  authorize(publicKey: string): void;
  /** What sshd has said so far */
  log(): string;
}

const packages = new URL('../../.tools/ssh', import.meta.url).pathname;
/** Who logs in where the tests run as root: sshd as root would need a user of this machine for its own use */
const guestUser = { name: 'guest', uid: 65_534 };

/** Gives the reason where there is none to be had. */
export async function openSshServer(): Promise<SshServer | { readonly missing: string }> {
  const debs = existsSync(packages) ? readdirSync(packages).filter((name) => name.endsWith('.deb')) : [];
  if (!debs.some((name) => name.startsWith('openssh-server_')))
    return { missing: 'there is no package openssh-server in .tools/ssh: make setup gets it' };
  for (const program of ['dpkg-deb', 'ssh-keygen', 'git'])
    if (findProgram(program) === undefined) return { missing: `this machine has no ${program}` };
  const isRoot = userInfo().uid === 0;
  const folder = mkdtempSync(join(tmpdir(), 'pyro-ssh-'));
  const authorizedKeys = join(folder, 'authorized_keys');
  for (const deb of debs) execFileSync('dpkg-deb', ['-x', join(packages, deb), join(folder, 'programs')]);
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', join(folder, 'host_key')]);
  const commit = makeRepository(folder);
  const port = await freePort();
  mkdirSync(join(folder, 'home'));
  writeFileSync(authorizedKeys, '');
  writeFileSync(
    join(folder, 'config'),
    [
      `ListenAddress 127.0.0.1:${port}`,
      `HostKey ${join(folder, 'host_key')}`,
      `AuthorizedKeysFile ${authorizedKeys}`,
      ...[
        'PidFile none',
        'UsePAM no',
        'StrictModes no',
        'PasswordAuthentication no',
        'KbdInteractiveAuthentication no',
      ],
    ].join('\n'),
  );
  writeFileSync(join(folder, 'passwd'), passwdWith(join(folder, 'home')));
  chmodSync(folder, 0o755);
  if (isRoot) execFileSync('chown', ['-R', `${guestUser.uid}:${guestUser.uid}`, folder]);
  const child = spawn('bash', ['-c', startLine(folder, isRoot)], {
    env: { ...process.env, LD_LIBRARY_PATH: join(folder, 'programs/usr/lib/x86_64-linux-gnu') },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const dispose = async (): Promise<void> => {
    if (child.exitCode === null) child.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  if (!(await answers(port, () => child.exitCode !== null))) {
    await dispose();
    return { missing: `sshd does not start here: ${said.trim().split('\n').at(-1)}` };
  }
  return {
    port,
    user: isRoot ? guestUser.name : userInfo().username,
    hostKey: readFileSync(join(folder, 'host_key.pub'), 'utf8').trim(),
    repositoryPath: join(folder, 'repository.git'),
    commit,
    authorize: (publicKey) => writeFileSync(authorizedKeys, publicKey),
    log: () => said,
    [Symbol.asyncDispose]: dispose,
  };
}

/** Each program of the line takes the place of the one before, so that the process that is ended is sshd. */
function startLine(folder: string, isRoot: boolean): string {
  const sshd = `exec ${isRoot ? `setpriv --reuid=${guestUser.uid} --regid=${guestUser.uid} --clear-groups ` : ''}${join(folder, 'programs/usr/sbin/sshd')} -D -e -f ${join(folder, 'config')}`;
  // A user that this process alone knows: the machine stays as it is.
  const inPlace = `mount --bind ${join(folder, 'passwd')} /etc/passwd && ${sshd}`;
  return isRoot ? `exec unshare --mount --propagation private bash -c '${inPlace}'` : sshd;
}

function passwdWith(home: string): string {
  const line = `${guestUser.name}:x:${guestUser.uid}:${guestUser.uid}::${home}:/bin/sh`;
  return `${line}\n${readFileSync('/etc/passwd', 'utf8')}`;
}

function makeRepository(folder: string): string {
  const work = join(folder, 'work');
  gitIn(folder, 'init', '-q', '-b', 'main', work);
  writeFileSync(join(work, 'file'), 'over ssh\n');
  gitIn(work, 'add', 'file');
  gitIn(work, 'commit', '-q', '-m', 'first');
  gitIn(folder, 'clone', '-q', '--bare', work, join(folder, 'repository.git'));
  return gitIn(work, 'rev-parse', 'HEAD').trim();
}

async function freePort(): Promise<number> {
  await using service = await openService((socket) => socket.destroy());
  return service.port;
}

/** True once a server speaks on the port; false when it has ended before. */
async function answers(port: number, hasEnded: () => boolean): Promise<boolean> {
  for (let turn = 0; turn < 100 && !hasEnded(); turn++) {
    const socket = connect(port, '127.0.0.1');
    const isThere = await new Promise<boolean>((resolve) => {
      socket.once('data', (banner: Buffer) => resolve(banner.toString().startsWith('SSH-2.0-')));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (isThere) return true;
    await sleep(100);
  }
  return false;
}
