// QEMU's machine protocol: JSON lines on a unix socket, commands answered in order, events as they come.
import { connect, type Socket } from 'node:net';
import { StringDecoder } from 'node:string_decoder';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { PyroError, systemCodeOf } from '../shared/errors.ts';

const lineSchema = z.union([
  z.object({ event: z.string(), data: z.record(z.string(), z.unknown()).optional() }),
  z.object({ return: z.unknown(), id: z.number().optional() }),
  z.object({ error: z.object({ class: z.string(), desc: z.string() }), id: z.number().optional() }),
  z.object({ QMP: z.unknown() }),
]);

interface Waiter {
  readonly wants: (event: QmpEvent) => boolean;
  readonly resolve: (event: QmpEvent) => void;
  readonly reject: (error: unknown) => void;
}

export interface QmpEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const commandTimeoutMs = 20_000;
/** A QEMU that a guest has taken over may send what it likes; its longest honest answer has some 300,000 `characters` */
const longestLine = 4_000_000;
/** An event that is longer is told, and not kept for who asks later, `characters` */
const longestKept = 16_384;

export class Qmp implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #pending = new Map<number, { resolve: (value: unknown) => void; reject: (error: unknown) => void }>();
  readonly #events: QmpEvent[] = [];
  readonly #waiters = new Set<Waiter>();
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  /** Settles when the connection is over and all that came by it was read */
  readonly closed: Promise<void>;
  #nextId = 1;
  #end: unknown;

  private constructor(socket: Socket) {
    this.#socket = socket;
    const decoder = new StringDecoder('utf8');
    let rest = '';
    socket.on('data', (chunk) => {
      const lines = decoder.write(chunk).split('\n');
      for (const line of lines.splice(0, lines.length - 1)) {
        this.#onLine(rest + line);
        rest = '';
      }
      rest += lines[0] ?? '';
      if (rest.length > longestLine) this.#break('QEMU sent a line that has no end');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => this.#fail(new PyroError('qemu_failed', 'QEMU has ended')));
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
  }

  /** Connects as soon as QEMU listens, and leaves the negotiation mode. */
  static async open(path: string, options: { deadlineMs: number; signal: AbortSignal }): Promise<Qmp> {
    const deadline = performance.now() + options.deadlineMs;
    for (;;) {
      options.signal.throwIfAborted();
      const socket = await tryConnect(path);
      if (socket !== undefined) {
        const qmp = new Qmp(socket);
        const onAbort = (): void => qmp.#fail(options.signal.reason);
        options.signal.addEventListener('abort', onAbort, { once: true });
        try {
          await qmp.execute('qmp_capabilities');
          return qmp;
        } catch (error) {
          socket.destroy();
          throw error;
        } finally {
          options.signal.removeEventListener('abort', onAbort);
        }
      }
      if (performance.now() > deadline) throw new PyroError('qemu_failed', `QEMU did not open ${path} in time`);
      // QEMU offers no event for "the socket is there"; it takes some 10 ms.
      await sleep(3, undefined, { signal: options.signal });
    }
  }

  /** One command. Throws `qemu_failed` with QEMU's own words. */
  async execute(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown> {
    if (this.#end !== undefined) throw this.#end;
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#pending.set(id, { resolve, reject });
    const timer = setTimeout(
      () => reject(new PyroError('qemu_failed', `QEMU did not answer ${command} within ${commandTimeoutMs} ms`)),
      commandTimeoutMs,
    );
    this.#socket.write(
      `${JSON.stringify({ execute: command, ...(args === undefined ? {} : { arguments: args }), id })}\n`,
    );
    try {
      return await promise;
    } catch (error) {
      if (error instanceof QmpRefusal) {
        throw new PyroError('qemu_failed', `QEMU refused ${command}: ${error.message}`, { cause: error });
      }
      throw error;
    } finally {
      clearTimeout(timer);
      this.#pending.delete(id);
    }
  }

  /** The next event that fits, also one that came before the call; each is handed out once. */
  async waitFor(
    wants: (event: QmpEvent) => boolean,
    options: { timeoutMs: number; signal: AbortSignal },
  ): Promise<QmpEvent> {
    const at = this.#events.findIndex(wants);
    if (at >= 0) {
      const [found] = this.#events.splice(at, 1);
      if (found !== undefined) return found;
    }
    options.signal.throwIfAborted();
    if (this.#end !== undefined) throw this.#end;
    const { promise, resolve, reject } = Promise.withResolvers<QmpEvent>();
    const waiter: Waiter = { wants, resolve, reject };
    this.#waiters.add(waiter);
    const timer = setTimeout(
      () => reject(new PyroError('deadline_exceeded', `QEMU reported nothing for ${options.timeoutMs} ms`)),
      options.timeoutMs,
    );
    const onAbort = (): void => reject(options.signal.reason);
    options.signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      options.signal.removeEventListener('abort', onAbort);
      this.#waiters.delete(waiter);
    }
  }

  /** Tells of each event from now on, whoever else waits for it; gives the way to stop that. */
  listen(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #onLine(line: string): void {
    // The rest of what came at once, after one that broke the connection.
    if (this.#end !== undefined) return;
    let parsed: z.infer<typeof lineSchema>;
    try {
      parsed = lineSchema.parse(JSON.parse(line));
    } catch (cause) {
      this.#break('QEMU sent a line that does not parse', cause);
      return;
    }
    if ('event' in parsed) this.#onEvent({ event: parsed.event, data: parsed.data ?? {} }, line.length <= longestKept);
    else if ('return' in parsed) this.#pending.get(parsed.id ?? 0)?.resolve(parsed.return);
    else if ('error' in parsed) this.#pending.get(parsed.id ?? 0)?.reject(new QmpRefusal(parsed.error.desc));
  }

  #onEvent(event: QmpEvent, isShort: boolean): void {
    for (const listener of this.#listeners) listener(event);
    for (const waiter of this.#waiters) {
      if (!waiter.wants(event)) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(event);
      return;
    }
    if (isShort) this.#events.push(event);
    if (this.#events.length > 256) this.#events.shift();
  }

  #break(why: string, cause?: unknown): void {
    this.#fail(new PyroError('qemu_failed', why, { cause }));
    this.#socket.destroy();
  }

  #fail(error: unknown): void {
    this.#end ??= error;
    for (const { reject } of this.#pending.values()) reject(this.#end);
    for (const { reject } of this.#waiters) reject(this.#end);
    this.#waiters.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
  }
}

class QmpRefusal extends Error {}

async function tryConnect(path: string): Promise<Socket | undefined> {
  const socket = connect(path);
  const { promise, resolve, reject } = Promise.withResolvers<Socket | undefined>();
  socket.once('connect', () => resolve(socket));
  socket.once('error', (error) => {
    const code = systemCodeOf(error);
    if (code === 'ENOENT' || code === 'ECONNREFUSED') resolve(undefined);
    else reject(error);
  });
  return await promise;
}
