// A machine without QEMU: its guests are the real agent in namespaces of this host, with a real overlay below /workspace.
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { kill } from 'node:process';
import { GuestClient } from '../../src/agent/guest-client.ts';
import type { RunningGuest } from '../../src/contract/records.ts';
import { linkOrCopy } from '../../src/machine/disks.ts';
import type { GuestEnd } from '../../src/machine/guest-end.ts';
import { GuestHealth, type Pauses } from '../../src/machine/guest-health.ts';
import { patiently } from '../../src/machine/heartbeat.ts';
import type { Guest, GuestPlan, Machine, StartedGuest } from '../../src/machine/machine.ts';
import type { CallContext } from '../../src/shared/call-context.ts';
import { PyroError } from '../../src/shared/errors.ts';
import { runCommand } from '../../src/system/command.ts';
import type { Paths } from '../../src/system/paths.ts';
import { identifyProcess } from '../../src/system/processes.ts';
import { ownContent, pushOver, standInLayers, writeLayer } from './stand-in-layers.ts';
import { adopt, agentOf, isListening, killGroup, note, type Running } from './stand-in-running.ts';
import { until } from './until.ts';

const script = new URL('stand-in-guest.sh', import.meta.url).pathname;
const guestSource = new URL('../../guest', import.meta.url).pathname;

type MachineCall = 'startFresh' | 'startOnDisk' | 'takeOver' | 'open';

export interface StandIn extends Disposable {
  /** The machine as an engine opens it; guests outlive the engine, as they do in QEMU */
  readonly open: (paths: Paths, context: CallContext) => Promise<Machine>;
  /** Calls that a test may have fail, by their name */
  readonly failures: Map<MachineCall, Error>;
  /** Calls that wait until what stands here has settled */
  readonly holds: Map<MachineCall, Promise<void>>;
  /** While set, guests that start are paused once they are there, as QEMU pauses one for want of room; who waits is told it */
  pause: PyroError | undefined;
  /** How guests are said to have ended from now on */
  end: GuestEnd;
  /** Processes of the agents of guests that run: one that is stopped is a guest that does not answer */
  readonly agents: () => number[];
  /** What was prepared for later calls, in order */
  readonly prepared: string[];
  /** Processes of guests that were begun and have not ended, also of those that never came up */
  readonly alive: ReadonlySet<number>;
}

/** Of users where anybody may have them; root does without. */
const namespaceKinds = [['--user', '--map-root-user'], []] as const;
const overlay =
  'mount -t tmpfs t "$0" && cd "$0" && mkdir l u w m && mount -t overlay o -o lowerdir=l,upperdir=u,workdir=w,userxattr m';

/** Options of unshare with which a guest's mounts work here; undefined when none do. */
function findNamespaces(): readonly string[] | undefined {
  return namespaceKinds.find((options) => {
    try {
      execFileSync('unshare', [...options, '--mount', 'sh', '-c', overlay, tmpdir()], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  });
}

/** Where this host lets us make no namespaces, the reason; tests that need a stand-in are skipped with it. */
export function standInObstacle(): string | undefined {
  if (findNamespaces() !== undefined) return undefined;
  return 'this host lets us make no namespaces with an overlay in them, which stand-in guests live in';
}

/** The agent, built into the folder. */
export function buildAgent(folder: string, tags: readonly string[] = []): string {
  const agent = join(folder, 'agent');
  execFileSync('go', ['build', ...tags, '-o', agent, './cmd/agent'], { cwd: guestSource });
  return agent;
}

/**
 * @param shared a folder with the built agent, for processes that take each other's guests over; it stays
 * @param lies folder with scripts by which each guest's agent lies from its start; an honest agent without it
 */
export function createStandIn(shared?: string, lies?: string): StandIn {
  const namespaces = findNamespaces() ?? [];
  const folder = shared ?? mkdtempSync(join(tmpdir(), 'ps-'));
  const tags = lies === undefined ? [] : ['-tags', 'liar'];
  const agent = shared === undefined ? buildAgent(folder, tags) : join(shared, 'agent');
  const contents = join(folder, 'contents');
  mkdirSync(contents, { recursive: true });
  const running = new Map<string, Running>();
  const failures: StandIn['failures'] = new Map();
  const holds: StandIn['holds'] = new Map();
  const prepared: string[] = [];
  const alive = new Set<number>();
  const projects = new Map<string, Promise<string>>();

  /** The project's files, unpacked once for each image. */
  const lowerOf = (project: GuestPlan['disks']['project']): Promise<string> => {
    const key = project === undefined ? '' : (project.imageId ?? project.image);
    const known = projects.get(key);
    if (known !== undefined) return known;
    const lower = mkdtempSync(join(folder, 'lower-'));
    const work = (async () => {
      if (project !== undefined)
        await runCommand('unsquashfs', ['-quiet', '-no-progress', '-force', '-dest', lower, project.image]);
      return lower;
    })();
    projects.set(key, work);
    return work;
  };

  const guestOf = (client: GuestClient, entry: Running, error?: PyroError): Guest => {
    const pulse = { received: () => client.receivedBytes, ask: () => client.ping(), pid: entry.agent() };
    const health = new GuestHealth(pulse, error === undefined ? undefined : () => pausedBy(error));
    return {
      client,
      ended: entry.ended.then(() => standIn.end),
      health,
      networkSocket: join(entry.sockets, 'n'),
      use: (work) => health.guard(work),
      addLayer: async (path, _sizeMib, note) => {
        await pushOver(contents, entry.top(), path);
        entry.setTop(path);
        await note();
        return true;
      },
      topLayer: async () => basename(entry.top()),
      detach: async () => {
        health[Symbol.dispose]();
        await client[Symbol.asyncDispose]();
      },
      [Symbol.asyncDispose]: async () => {
        health[Symbol.dispose]();
        await client[Symbol.asyncDispose]();
        entry.kill();
        await entry.ended;
        await rm(entry.sockets, { recursive: true, force: true });
      },
    };
  };

  const launch = async (paths: Paths, plan: GuestPlan, signal: AbortSignal): Promise<Omit<StartedGuest, 'source'>> => {
    const startedAt = performance.now();
    const content = await ownContent(contents, plan.disks.top);
    const sockets = join(paths.runtime, plan.socketFolder);
    const root = join(content, 'root');
    mkdirSync(sockets, { recursive: true });
    if (lies !== undefined) cpSync(lies, sockets, { recursive: true });
    mkdirSync(root, { recursive: true });
    const magic = randomBytes(16);
    const separate = [...namespaces, '--mount', '--pid', '--uts', '--fork', '--kill-child', '--'];
    const folders = [root, join(content, 'upper'), join(content, 'work'), await lowerOf(plan.disks.project), sockets];
    // The last word is one by which an owner who has lost sight of a guest finds its process.
    const words = [agent, magic.toString('hex'), `qemu,path=${sockets}/a,`];
    const args = [...separate, 'sh', script, ...folders, ...words];
    const process = spawn('unshare', args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
    let said = '';
    process.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4096);
    });
    const pid = process.pid ?? 0;
    alive.add(pid);
    const ended = new Promise<void>((resolve) =>
      process.once('close', () => {
        alive.delete(pid);
        resolve();
      }),
    );
    let top = plan.disks.top;
    const entry: Running = {
      kill: () => killGroup(process),
      hasEnded: () => process.exitCode !== null || process.signalCode !== null,
      agent: () => agentOf(pid),
      ended,
      sockets,
      top: () => top,
      setTop: (path) => {
        top = path;
        const identity = identifyProcess(pid);
        if (identity !== undefined) note(sockets, identity, path);
      },
    };
    entry.setTop(top);
    await using undo = new AsyncDisposableStack();
    undo.defer(async () => {
      killGroup(process);
      await ended;
      await rm(sockets, { recursive: true, force: true });
    });
    await until(async () => signal.aborted || process.exitCode !== null || (await isListening(join(sockets, 'a'))));
    signal.throwIfAborted();
    if (process.exitCode !== null) throw new PyroError('guest_boot_failed', `the stand-in did not start: ${said}`);
    plan.onRunning?.();
    const client = undo.use(await GuestClient.connect(join(sockets, 'a'), magic, { timeoutMs: 10_000, signal }));
    const machineId = randomBytes(16).toString('hex');
    await client.resume({ hostname: `pyro-${plan.id.slice(0, 6)}`, machineId }, undefined, { signal });
    const { pause } = standIn;
    const guest = guestOf(client, entry, pause);
    await plan.arrive?.(guest);
    const identity = identifyProcess(pid);
    if (identity === undefined) throw new PyroError('guest_boot_failed', `the stand-in ended: ${said}`);
    running.set(plan.socketFolder, entry);
    void ended.then(() => {
      if (running.get(plan.socketFolder) === entry) running.delete(plan.socketFolder);
    });
    const stopped = pause === undefined ? undefined : entry.agent();
    if (stopped !== undefined) kill(stopped, 'SIGSTOP');
    const record: RunningGuest = {
      process: identity,
      folder: plan.socketFolder,
      magic: magic.toString('hex'),
      machine_id: machineId,
      accelerator: 'tcg',
    };
    undo.move();
    return { guest, record, bootMs: performance.now() - startedAt };
  };

  const obey = async (name: MachineCall): Promise<void> => {
    await holds.get(name);
    const error = failures.get(name);
    if (error !== undefined) throw error;
  };

  const standIn: StandIn = {
    failures,
    holds,
    pause: undefined,
    end: { cause: 'killed', text: 'its process was killed' },
    agents: () => [...running.values()].flatMap((entry) => entry.agent() ?? []),
    prepared,
    alive,
    open: async (paths, { signal: opening }) => {
      opening.throwIfAborted();
      await obey('open');
      mkdirSync(paths.runtime, { recursive: true, mode: 0o700 });
      return {
        choice: { accelerator: 'tcg', reason: 'a stand-in' },
        layers: standInLayers,
        ensureTemplate: async ({ name }, _size, _context, kind = 'ready') => {
          prepared.push(`${kind} ${name}`);
          return { buildMs: 0 };
        },
        dropTemplates: async () => undefined,
        prepareProject: async ({ folder: place }) => void prepared.push(`project in ${place}`),
        furnish: async ({ disks }, imagePath) => {
          await linkOrCopy(imagePath, disks.rootImage);
          if (disks.base !== undefined) await writeLayer(disks.base, { below: null, content: null });
        },
        startFresh: async (plan, { signal }, isCold = false) => {
          await obey('startFresh');
          await writeLayer(plan.disks.top, { below: null, content: null });
          return { ...(await launch(paths, plan, signal)), source: isCold ? 'cold' : 'template' };
        },
        startOnDisk: async (plan, { signal }) => {
          await obey('startOnDisk');
          return { ...(await launch(paths, plan, signal)), source: 'template' };
        },
        takeOver: async (id, _diskFolder, record, signal) => {
          await obey('takeOver');
          const entry = running.get(record.folder) ?? adopt(join(paths.runtime, record.folder));
          if (entry === undefined || entry.hasEnded())
            throw new PyroError('guest_unreachable', 'the guest is no longer running');
          const magic = Buffer.from(record.magic, 'hex');
          const client = await patiently(identifyProcess(entry.agent() ?? 0) ?? record.process, signal, (limit) =>
            GuestClient.connect(join(entry.sockets, 'a'), magic, { timeoutMs: 10_000, signal: limit }),
          );
          const identity = { hostname: `pyro-${id.slice(0, 6)}`, machineId: record.machine_id };
          await client.resume(identity, undefined, { signal });
          return guestOf(client, entry);
        },
      };
    },
    [Symbol.dispose]: () => {
      for (const entry of running.values()) entry.kill();
      if (shared === undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
  return standIn;
}

/** A guest that stays paused. */
function pausedBy(error: PyroError): Pauses {
  const trouble = { state: 'paused', reason: error.message, error } as const;
  return { isPaused: true, pause: new Promise(() => undefined), trouble, [Symbol.dispose]: () => undefined };
}
