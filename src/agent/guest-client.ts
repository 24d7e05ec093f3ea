// A session with one guest: HTTP/2 over its channel, each answer checked, each call with a deadline.
import { randomBytes } from 'node:crypto';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import type { Duplex } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import type { z } from 'zod';
import { startedUnless } from '../shared/waiting.ts';
import { type CallOptions, expectSuccess, parseAnswer, readAll } from './answers.ts';
import { growAnswerSchema, thawAnswerSchema } from './file-messages.ts';
import { GuestProcess } from './guest-process.ts';
import { openChannel } from './hello.ts';
import {
  type ActivateRequest,
  activateAnswerSchema,
  emptyAnswerSchema,
  type ProbeAnswer,
  type ProbeRequest,
  probeAnswerSchema,
  processListSchema,
  type ResumeAnswer,
  type ResumeRequest,
  resumeAnswerSchema,
  type StartRequest,
  statusAnswerSchema,
} from './messages.ts';
import type { OutputFilter } from './output-filter.ts';
import { unreachable } from './refusals.ts';

export interface GuestIdentity {
  readonly hostname: string;
  /** 32 hexadecimal digits */
  readonly machineId: string;
}

/** What both ends of a session with a guest grant each other, also where it is lent to another process */
export const sessionSettings = { initialWindowSize: 4 * 1024 * 1024, maxFrameSize: 65_536 } as const;
export const sessionWindow: number = 16 * 1024 * 1024;
/** A guest must not make the host remember much, `MB` */
export const sessionMemory = 64;

/** A stream that counts what came by it. */
export type Connection = Duplex & { readonly bytesRead: number };

export class GuestClient implements AsyncDisposable {
  /** Makes a filter for each output that is followed from now on */
  newOutputFilter: () => OutputFilter | undefined = () => undefined;

  readonly #session: ClientHttp2Session;
  readonly #connection: Connection;
  readonly #onClosed = new Set<() => void>();

  private constructor(session: ClientHttp2Session, connection: Connection) {
    this.#session = session;
    this.#connection = connection;
    session.once('close', () => {
      for (const listener of this.#onClosed) listener();
    });
  }

  /** Calls the listener when the session ends, at once where it has, unless it is disposed before. */
  onClosed(listener: () => void): Disposable {
    if (this.#session.destroyed) listener();
    else this.#onClosed.add(listener);
    return { [Symbol.dispose]: () => void this.#onClosed.delete(listener) };
  }

  /** Opens a session on a guest's socket. Throws `guest_unreachable`. */
  static async connect(
    path: string,
    magic: Buffer,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<GuestClient> {
    return await GuestClient.over(await openChannel(path, magic, options));
  }

  /** A session on a connection whose next byte belongs to it. */
  static async over(connection: Connection): Promise<GuestClient> {
    const session = connect('http://guest', {
      createConnection: () => connection,
      settings: { ...sessionSettings, enablePush: false },
      maxSessionMemory: sessionMemory,
    });
    // Failures of the session surface in each of its streams.
    session.on('error', () => undefined);
    session.once('connect', () => {
      if (!session.destroyed) session.setLocalWindowSize(sessionWindow);
    });
    // Node hands bytes that came with the hello to the session in the next tick, and throws out of our reach when it was
    // destroyed by then.
    await setImmediate();
    return new GuestClient(session, connection);
  }

  /** Gives a guest that was booted or restored its time, entropy and name; nothing else is answered before. */
  resume(identity: GuestIdentity, magic: Buffer | undefined, options: CallOptions = {}): Promise<ResumeAnswer> {
    const body: ResumeRequest = {
      unix_ms: Date.now(),
      entropy: randomBytes(64).toString('base64'),
      hostname: identity.hostname,
      machine_id: identity.machineId,
      ...(magic === undefined ? {} : { magic: magic.toString('base64') }),
    };
    return this.call('POST', '/v1/resume', body, resumeAnswerSchema, options);
  }

  /** Mounts the root and the workspace and makes them the guest's root. */
  async activate(project: boolean, options: CallOptions = {}): Promise<void> {
    await this.call('POST', '/v1/activate', { project } satisfies ActivateRequest, activateAnswerSchema, options);
  }

  /** Puts the project's disk below the workspace of a guest that was restored from a template. */
  async mountProject(options: CallOptions = {}): Promise<void> {
    await this.call('POST', '/v1/project', {}, activateAnswerSchema, options);
  }

  /** Makes the guest's disk whole and still; it continues after {@link thaw}, or by itself after 10 s. */
  async freeze(options: CallOptions = {}): Promise<void> {
    await this.call('POST', '/v1/freeze', {}, emptyAnswerSchema, options);
  }

  /** @returns whether the disk was still frozen until now */
  async thaw(options: CallOptions = {}): Promise<{ readonly wasFrozen: boolean }> {
    const answer = await this.call('POST', '/v1/thaw', {}, thawAnswerSchema, options);
    return { wasFrozen: answer.was_frozen };
  }

  /** Makes the guest's file system as large as its disk has become; gives that size, `bytes`. */
  async grow(options: CallOptions = {}): Promise<number> {
    return (await this.call('POST', '/v1/grow', {}, growAnswerSchema, options)).bytes;
  }

  status(options: CallOptions = {}): Promise<z.infer<typeof statusAnswerSchema>> {
    return this.call('GET', '/v1/status', undefined, statusAnswerSchema, options);
  }

  /** Looks once whether something in the guest is ready. */
  probe(request: ProbeRequest, options: CallOptions = {}): Promise<ProbeAnswer> {
    return this.call('POST', '/v1/probe', request, probeAnswerSchema, options);
  }

  async sync(options: CallOptions = {}): Promise<void> {
    await this.call('POST', '/v1/sync', {}, emptyAnswerSchema, options);
  }

  async powerOff(options: CallOptions = {}): Promise<void> {
    await this.call('POST', '/v1/poweroff', {}, emptyAnswerSchema, options);
  }

  /**
   * Starts a process and attaches to it from its first byte. Whoever calls owns it from then on; where the signal comes
   * first, it is killed and forgotten as soon as the guest has told its name.
   */
  async start(request: StartRequest, options: CallOptions = {}): Promise<GuestProcess> {
    options.signal?.throwIfAborted();
    const stream = this.open('POST', '/v1/processes');
    stream.end(JSON.stringify(request));
    const answered = async (): Promise<GuestProcess> => {
      await expectSuccess(stream, { ...options, signal: undefined });
      return await GuestProcess.attach(this, stream, options);
    };
    const process = await startedUnless(answered(), options.signal, (started) => started.forget());
    // Later the signal ends the following alone, as the end of the session does.
    const onAbort = (): void => void stream.destroy();
    options.signal?.addEventListener('abort', onAbort, { once: true });
    stream.once('close', () => options.signal?.removeEventListener('abort', onAbort));
    return process;
  }

  /** Ids of all processes that the guest knows. */
  async processes(options: CallOptions = {}): Promise<string[]> {
    const { processes } = await this.call('GET', '/v1/processes', undefined, processListSchema, options);
    return processes.map(({ id }) => id);
  }

  /** Kills what of a process still runs, and drops what is kept of it. */
  async forget(id: string, options: CallOptions = {}): Promise<void> {
    const path = `/v1/processes/${encodeURIComponent(id)}`;
    await this.call('DELETE', path, undefined, emptyAnswerSchema, options);
  }

  /** Attaches to a process that runs already, or has ended, from the given byte offsets of its output on. */
  async attach(
    id: string,
    offsets: { readonly stdout: number; readonly stderr: number },
    options: CallOptions = {},
  ): Promise<GuestProcess> {
    const path = `/v1/processes/${encodeURIComponent(id)}/attach?stdout=${offsets.stdout}&stderr=${offsets.stderr}`;
    const stream = this.open('GET', path, options);
    stream.end();
    await expectSuccess(stream, options);
    return GuestProcess.again(this, id, stream, options);
  }

  /** A call with JSON both ways. Throws the guest's refusal, `guest_unreachable` or `guest_protocol`. */
  async call<T>(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    body: unknown,
    schema: z.ZodType<T>,
    options: CallOptions = {},
  ): Promise<T> {
    return await this.#exchange(method, path, body === undefined ? undefined : JSON.stringify(body), schema, options);
  }

  /** Posts bytes as they are; the answer is JSON. */
  send<T>(path: string, bytes: Uint8Array, schema: z.ZodType<T>, options: CallOptions = {}): Promise<T> {
    return this.#exchange('POST', path, bytes, schema, options);
  }

  /** A raw stream; the caller ends it and reads it. */
  open(
    method: string,
    path: string,
    options: CallOptions = {},
    headers: Readonly<Record<string, number>> = {},
  ): ClientHttp2Stream {
    options.signal?.throwIfAborted();
    if (this.#session.closed || this.#session.destroyed) throw unreachable('the session has ended');
    const stream = this.#session.request(
      { ':method': method, ':path': path, ...headers },
      { endStream: false, ...(options.signal === undefined ? {} : { signal: options.signal }) },
    );
    // Each reader looks at the outcome itself; without a listener Node would end the process.
    stream.on('error', () => undefined);
    return stream;
  }

  async #exchange<T>(
    method: string,
    path: string,
    body: string | Uint8Array | undefined,
    schema: z.ZodType<T>,
    options: CallOptions,
  ): Promise<T> {
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    const stream = this.open(method, path, options, length);
    stream.end(body);
    await expectSuccess(stream, options);
    return parseAnswer(await readAll(stream, options), schema, path);
  }

  /** Count of bytes that the guest has sent: whatever comes is a sign of life. */
  get receivedBytes(): number {
    return this.#connection.bytesRead;
  }

  /** Has the guest answer with a few bytes, by HTTP/2 alone; false when the session is over. */
  ping(): boolean {
    return this.isOpen && this.#session.ping(() => undefined);
  }

  get isOpen(): boolean {
    return !this.#session.closed && !this.#session.destroyed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#session.destroy();
  }
}
