// The way out of one guest: an HTTP/2 server on its network port, where each CONNECT is judged, dialled and logged.
import {
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { openChannel } from '../agent/hello.ts';
import type { NetworkGrant } from '../contract/records.ts';
import { messageOf, PyroError, systemCodeOf } from '../shared/errors.ts';
import { followSignals } from '../shared/following-signal.ts';
import { parseAddress } from './address.ts';
import type { Attempt, ConnectionLog } from './connection-log.ts';
import { addressesOf, dial, type Resolver, systemResolver } from './dial.ts';
import { ConnectionGate, type ConnectionLimits, defaultLimits } from './limits.ts';
import { ownAddresses } from './own-addresses.ts';
import { type Decision, decide, decideByName, isHopeless, type PolicyRules, parseGrant } from './policy.ts';
import { RefusalReports, refusalsPath } from './refusal-reports.ts';
import { parseTarget, type Target } from './target.ts';
import { joinStreams } from './tunnel.ts';
import { UnreadRequests } from './unread-requests.ts';
import { dialThrough, type Routes } from './upstream.ts';

export interface EgressOptions {
  /** Unix socket of the guest's network port */
  readonly socketPath: string;
  /** Secret of the hello that the agent was given for this port */
  readonly magic: Buffer;
  readonly grant: NetworkGrant;
  readonly log: ConnectionLog;
  readonly resolver?: Resolver;
  /** What goes through a proxy of this machine */
  readonly routes?: Routes | undefined;
  readonly limits?: ConnectionLimits;
  readonly signal?: AbortSignal | undefined;
}

/** The header by which the agent tells which process asks */
const processHeader = 'pyro-process';
/** What a client of HTTP/2 sends before its first frame */
const clientPreface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const helloTimeoutMs = 10_000;
const longestPauseMs = 5000;

export class Egress implements AsyncDisposable {
  readonly #options: EgressOptions;
  readonly #rules: PolicyRules;
  readonly #gate: ConnectionGate;
  readonly #reports: RefusalReports;
  readonly #closing = new AbortController();
  #session: ServerHttp2Session | undefined;
  #unread: UnreadRequests | undefined;

  private constructor(options: EgressOptions) {
    this.#options = options;
    this.#rules = parseGrant(options.grant, ownAddresses());
    this.#gate = new ConnectionGate(options.limits ?? defaultLimits);
    this.#reports = new RefusalReports(options.log, options.limits ?? defaultLimits);
  }

  /** Opens the way out and keeps it open until it is closed, or the guest's socket is gone. Throws `guest_unreachable`. */
  static async open(options: EgressOptions): Promise<Egress> {
    const egress = new Egress(options);
    void egress.#keepOpen(await egress.#connect(options.signal));
    return egress;
  }

  /** Number of the latest attempt, to ask {@link refusedSince} later. */
  get mark(): number {
    return this.#options.log.lastSequence;
  }

  refusedSince(mark: number, processId?: string): readonly Attempt[] {
    return this.#options.log.refusedSince(mark, processId);
  }

  get openConnections(): number {
    return this.#gate.open;
  }

  /** Ends every connection and waits until the log is written. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#unread?.[Symbol.dispose]();
    this.#session?.destroy();
    this.#reports[Symbol.dispose]();
    await this.#options.log.flush();
  }

  /** Performs the hello and serves the session behind it. */
  async #connect(signal: AbortSignal | undefined): Promise<{ readonly ended: Promise<void> }> {
    const { socketPath, magic } = this.#options;
    const alive = signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
    const preface = clientPreface.length;
    const socket = await openChannel(socketPath, magic, { timeoutMs: helloTimeoutMs, signal: alive, preface });
    if (socket.isEarly) {
      // Node's server would take bytes that came before it in a way that a broken session throws out of our reach.
      socket.destroy();
      throw new PyroError('guest_protocol', 'the guest sent data on its network port out of turn');
    }
    const session = performServerHandshake(socket, {
      settings: {
        initialWindowSize: 1024 * 1024,
        maxFrameSize: 65_536,
        // Beside the connections that the agent asks for at once there is room for its reports.
        maxConcurrentStreams: (this.#options.limits ?? defaultLimits).mostOpen + 72,
        maxHeaderListSize: 4096,
      },
      // A guest must not make the host remember much.
      maxSessionMemory: 64,
      maxHeaderListPairs: 16,
    });
    this.#session = session;
    session.setLocalWindowSize(16 * 1024 * 1024);
    // What breaks a session breaks its streams, and each tunnel looks at its own.
    session.on('error', (error) => {
      if (systemCodeOf(error)?.startsWith('ERR_HTTP2_') === true) this.#reports.noteBroken();
    });
    const unread = new UnreadRequests(session, (count) => this.#reports.noteUnread(count));
    this.#unread = unread;
    session.on('stream', (stream, headers) => {
      unread.heard();
      stream.on('error', () => undefined);
      const isReport = headers[':method'] === 'POST' && headers[':path'] === refusalsPath;
      const work = isReport ? this.#reports.receive(stream) : this.#serve(stream, headers);
      void work.catch(() => stream.destroy());
    });
    return {
      ended: new Promise((resolve) =>
        session.once('close', () => {
          unread[Symbol.dispose]();
          resolve();
        }),
      ),
    };
  }

  /** A session that breaks without being closed is begun again: the guest may have sent nonsense, or the port hiccuped. */
  async #keepOpen(first: { readonly ended: Promise<void> }): Promise<void> {
    let { ended } = first;
    let pauseMs = 50;
    for (;;) {
      await ended;
      for (;;) {
        if (this.#closing.signal.aborted) return;
        await sleep(pauseMs, undefined, { ref: false, signal: this.#closing.signal }).catch(() => undefined);
        pauseMs = Math.min(pauseMs * 2, longestPauseMs);
        try {
          ({ ended } = await this.#connect(undefined));
          break;
        } catch (error) {
          if (isGone(error)) return;
        }
      }
    }
  }

  async #serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const authority = headers[':authority'] ?? '';
    const asked = headers[processHeader];
    const processId = typeof asked === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(asked) ? asked : null;
    const refused = this.#gate.enter();
    if (refused !== undefined) {
      const target = parseTarget(authority);
      const known = target.kind === 'invalid' ? { name: authority, port: null } : target;
      this.#refuse(stream, 429, { name: known.name, port: known.port, rule: 'limit', reason: refused, processId });
      return;
    }
    try {
      await this.#open(stream, headers[':method'] ?? '', authority, processId);
    } finally {
      this.#gate.leave();
    }
  }

  async #open(stream: ServerHttp2Stream, method: string, authority: string, processId: string | null): Promise<void> {
    const target = method === 'CONNECT' ? parseTarget(authority) : { kind: 'invalid' as const, reason: 'no CONNECT' };
    if (target.kind === 'invalid') {
      this.#refuse(stream, 400, { name: authority, port: null, rule: 'target', reason: target.reason, processId });
      return;
    }
    const { name, port } = target;
    const decision = await this.#judge(target);
    if (decision.verdict === 'deny') {
      this.#refuse(stream, decision.rule === 'resolver' ? 502 : 403, { ...decision, name, port, processId });
      return;
    }
    const gone = new AbortController();
    stream.once('close', () => gone.abort());
    if (stream.destroyed) gone.abort();
    const [first] = decision.addresses;
    const start = { name, port, rule: decision.rule, process: processId };
    // A guest makes as many connections as it likes.
    using following = followSignals(gone.signal, this.#closing.signal);
    const { signal } = following;
    try {
      const proxy = this.#routeOf(target);
      const socket =
        proxy === undefined
          ? await dial(decision.addresses, port, signal)
          : await dialThrough(proxy, `${name}:${port}`, signal);
      const end = this.#options.log.begin({
        ...start,
        verdict: 'allowed',
        address: parseAddress(socket.remoteAddress ?? '')?.text ?? null,
        reason: null,
      });
      const bytes = joinStreams(stream, socket);
      if (!stream.destroyed) stream.respond({ ':status': 200 });
      end(await bytes);
    } catch (error) {
      const reason = messageOf(error);
      this.#options.log.begin({ ...start, verdict: 'failed', address: first?.text ?? null, reason });
      answer(stream, 502, `${name}:${port} cannot be reached: ${systemCodeOf(error) ?? reason}`);
    }
  }

  async #judge(target: Target): Promise<Decision> {
    // A name that no address can save is not looked up: a look-up is a message to the outside, too.
    if (isHopeless(this.#rules, target)) return decide(this.#rules, target, []);
    // Behind a proxy only the proxy may know what a name stands for.
    if (this.#routeOf(target) !== undefined) return decideByName(this.#rules, target);
    try {
      return decide(this.#rules, target, await addressesOf(target, this.#options.resolver ?? systemResolver));
    } catch (error) {
      const reason = `${target.name} cannot be resolved: ${systemCodeOf(error) ?? messageOf(error)}`;
      return { verdict: 'deny', rule: 'resolver', reason };
    }
  }

  #routeOf({ name, port }: Target): string | undefined {
    return this.#options.routes?.get(`${name}:${port}`);
  }

  #refuse(stream: ServerHttp2Stream, status: number, why: Refusal): void {
    const { name, port, rule, reason, processId } = why;
    const verdict = rule === 'resolver' ? 'failed' : 'denied';
    this.#options.log.begin({ name, port, address: null, verdict, rule, reason, process: processId });
    answer(stream, status, reason);
  }
}

interface Refusal {
  readonly name: string;
  readonly port: number | null;
  readonly rule: string;
  readonly reason: string;
  readonly processId: string | null;
}

function answer(stream: ServerHttp2Stream, status: number, reason: string): void {
  if (stream.destroyed || stream.headersSent) return;
  stream.resume();
  stream.respond({ ':status': status, 'content-type': 'text/plain; charset=utf-8' });
  stream.end(`${reason}\n`, () => stream.close());
}

/** No socket, or nobody behind it: the guest has ended. */
function isGone(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return ['ENOENT', 'ECONNREFUSED'].includes(systemCodeOf(cause) ?? '');
}
