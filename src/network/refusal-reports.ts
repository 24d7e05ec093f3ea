// What the guest's agent says that it refused itself: for the log and nothing else, bounded in size, number and rate.
import type { ServerHttp2Stream } from 'node:http2';
import { z } from 'zod';
import { formatCount } from '../shared/units.ts';
import { chunksIn } from '../system/stream-chunks.ts';
import type { ConnectionLog } from './connection-log.ts';
import { type ConnectionLimits, RateLimit } from './limits.ts';
import { parseTarget } from './target.ts';

/** Where the agent posts its reports on the network port */
export const refusalsPath = '/v1/refusals';

const longestBody = 128 * 1024;
const bodyTimeoutMs = 10_000;
/** How often what went beyond the limit is summed up */
const summaryMs = 1000;

const kinds = [
  'malformed_request',
  'unsupported_request',
  'target',
  'unknown_address',
  'dns_question',
  'datagram',
  'ping',
  'packet',
  'too_many',
] as const;

export const refusalReportSchema = z.strictObject({
  refusals: z
    .array(
      z.strictObject({
        kind: z.enum(kinds),
        /** In the words of a program of the guest */
        asked: z.string().max(300),
        process: z
          .string()
          .regex(/^[A-Za-z0-9_-]{1,64}$/)
          .optional(),
      }),
    )
    .max(64),
  /** How many more there were since the last report, of which the agent has kept nothing */
  lost: z.number().int().nonnegative(),
});
type Refusal = z.infer<typeof refusalReportSchema>['refusals'][number];

const proxy = "guest's proxy";
const names = "guest's names";
const packets = "guest's packets";
/** The words are the host's own, whatever a guest says. */
const words: Readonly<Record<Refusal['kind'], { readonly rule: string; readonly reason: string }>> = {
  malformed_request: { rule: proxy, reason: "malformed request to the guest's proxy" },
  unsupported_request: { rule: proxy, reason: "the guest's proxy serves CONNECT, http:// and SOCKS5 CONNECT only" },
  target: { rule: proxy, reason: 'the host could not be asked about the target' },
  unknown_address: { rule: names, reason: 'the address belongs to no name in the guest' },
  dns_question: { rule: names, reason: "the guest's name service refuses the query" },
  datagram: { rule: packets, reason: 'no datagram may leave a guest' },
  ping: { rule: packets, reason: 'no ping may leave a guest' },
  packet: { rule: packets, reason: 'no raw packet may leave a guest' },
  too_many: { rule: proxy, reason: 'too many connections at once in the guest' },
};

export class RefusalReports implements Disposable {
  readonly #log: ConnectionLog;
  readonly #limits: ConnectionLimits;
  /** Its own, so that a flood of refusals leaves connections alone */
  readonly #rate: RateLimit;
  #isReceiving = false;
  #unlisted = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(log: ConnectionLog, limits: ConnectionLimits, now?: () => number) {
    this.#log = log;
    this.#limits = limits;
    this.#rate = new RateLimit(limits, now);
  }

  /** Takes one report; the agent sends one after the other. */
  async receive(stream: ServerHttp2Stream): Promise<void> {
    const status = this.#isReceiving ? 429 : await this.#read(stream);
    // One that the end of the session has cut off says nothing.
    if (stream.destroyed) return;
    if (status !== 200) this.#note({ name: 'a report of the guest', rule: proxy, reason: 'malformed report' });
    stream.resume().respond({ ':status': status }, { endStream: true });
    // What was not read of it is not waited for.
    if (status !== 200) stream.close();
  }

  /** Notes requests that HTTP/2 has refused before anyone could read them. */
  noteUnread(count: number): void {
    const name = count === 1 ? 'a request' : `${count} requests`;
    this.#note({ name: `${name} without a readable target`, rule: 'http2', reason: 'malformed request' });
  }

  /** Notes that the guest has sent something that is no HTTP/2. */
  noteBroken(): void {
    this.#note({ name: 'the network port', rule: 'http2', reason: 'the guest broke the protocol of its network port' });
  }

  /** Sums up at once what is not listed yet. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#sumUp();
  }

  async #read(stream: ServerHttp2Stream): Promise<number> {
    this.#isReceiving = true;
    try {
      const report = refusalReportSchema.safeParse(parseJson(await readBody(stream)));
      if (!report.success) return 400;
      for (const { kind, asked, process } of report.data.refusals) {
        const target = parseTarget(asked);
        const known = target.kind === 'invalid' ? { name: asked === '' ? '-' : asked } : target;
        this.#note({ name: known.name, port: 'port' in known ? known.port : null, ...words[kind], process });
      }
      this.#leaveOut(report.data.lost);
      return 200;
    } finally {
      this.#isReceiving = false;
    }
  }

  #note(entry: {
    readonly name: string;
    readonly port?: number | null;
    readonly rule: string;
    readonly reason: string;
    readonly process?: string | undefined;
  }): void {
    if (!this.#rate.take()) {
      this.#leaveOut(1);
      return;
    }
    const { port = null, process = null } = entry;
    this.#log.begin({ ...entry, port, process, address: null, verdict: 'denied' });
  }

  #leaveOut(count: number): void {
    this.#unlisted += count;
    if (this.#unlisted > 0) this.#timer ??= setTimeout(() => this.#sumUp(), summaryMs).unref();
  }

  #sumUp(): void {
    this.#timer = undefined;
    if (this.#unlisted === 0) return;
    const name = `${formatCount(this.#unlisted, 'more refusal')} in the guest`;
    const reason = `more than ${this.#limits.perSecond} a second: not listed one by one`;
    this.#unlisted = 0;
    this.#log.begin({ name, port: null, address: null, verdict: 'denied', rule: 'limit', reason, process: null });
  }
}

async function readBody(stream: ServerHttp2Stream): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  const timer = setTimeout(() => stream.destroy(), bodyTimeoutMs);
  try {
    for await (const chunk of chunksIn(stream)) {
      size += chunk.length;
      if (size > longestBody) return '';
      chunks.push(chunk);
    }
  } catch {
    // A report that is cut off is none.
    return '';
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
