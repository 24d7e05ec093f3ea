// One process in a guest: its output as frames, its input, its signals.
import type { ClientHttp2Stream } from 'node:http2';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { PyroError } from '../shared/errors.ts';
import { inputError } from '../shared/input-error.ts';
import { Turns } from '../shared/turns.ts';
import { chunksIn } from '../system/stream-chunks.ts';
import type { CallOptions } from './answers.ts';
import { type Frame, FrameDecoder } from './frames.ts';
import { brokenProtocol } from './guest-bytes.ts';
import type { GuestClient } from './guest-client.ts';
import {
  type ExitEvent,
  emptyAnswerSchema,
  type GapEvent,
  inputAnswerSchema,
  type SignalRequest,
  type TerminalSize,
} from './messages.ts';

/** A guest that has taken a process tells its name at once, `ms` */
const startMs = 30_000;

export class GuestProcess {
  readonly id: string;
  /** Process id in the guest, known to whoever has started it */
  readonly pid: number | undefined;
  readonly #client: GuestClient;
  readonly #frames: AsyncGenerator<Frame>;
  readonly #stream: ClientHttp2Stream;
  private constructor(
    client: GuestClient,
    id: string,
    stream: ClientHttp2Stream,
    frames: AsyncGenerator<Frame>,
    pid?: number,
  ) {
    this.#client = client;
    this.#stream = stream;
    this.id = id;
    this.pid = pid;
    this.#frames = frames;
  }

  /** Takes over the frame stream of a process that has just been started. */
  static async attach(client: GuestClient, stream: ClientHttp2Stream, options: CallOptions): Promise<GuestProcess> {
    const frames = readFrames(stream, options.signal);
    const timer = setTimeout(() => stream.destroy(new Error('deadline')), options.timeoutMs ?? startMs);
    const first = await frames.next().finally(() => clearTimeout(timer));
    if (first.done === true || first.value.kind !== 'event' || first.value.event.event !== 'started') {
      throw new PyroError('guest_protocol', 'the guest did not report the start of the process');
    }
    return new GuestProcess(client, first.value.event.id, stream, frames, first.value.event.pid);
  }

  /** Takes over the frame stream of a process that has been attached to again. */
  static again(client: GuestClient, id: string, stream: ClientHttp2Stream, options: CallOptions): GuestProcess {
    return new GuestProcess(client, id, stream, readFrames(stream, options.signal));
  }

  /** Called when its session has ended: a sink that waits for a reader then holds up whoever lets go of the guest. */
  onClosed(listener: () => void): Disposable {
    return this.#client.onClosed(listener);
  }

  /** Drops the process and its kept output; what of it still runs may end by itself for `graceMs` and is killed then. */
  async forget(options: CallOptions & { readonly graceMs?: number } = {}): Promise<void> {
    const path = `/v1/processes/${this.id}?grace_ms=${options.graceMs ?? 0}`;
    await this.#client.call('DELETE', path, undefined, emptyAnswerSchema, options);
  }

  /** Ends {@link follow} as if the connection was lost; the process runs on. */
  cutOff(): void {
    this.#stream.destroy();
  }

  /** Drops the kept output of a process that has ended; what it has put in the background keeps running. */
  async leave(options: CallOptions = {}): Promise<void> {
    await this.#client.call('DELETE', `/v1/processes/${this.id}?leave=1`, undefined, emptyAnswerSchema, options);
  }

  /** Hands on output as it comes (a sink's promise is waited for: back-pressure) until the process ends. */
  async follow(
    sink: (stream: 'stdout' | 'stderr', bytes: Buffer) => Promise<void> | void,
    onGap?: (gap: GapEvent) => Promise<void> | void,
  ): Promise<ExitEvent> {
    const filters = { stdout: this.#client.newOutputFilter(), stderr: this.#client.newOutputFilter() };
    let gap: GapEvent | undefined;
    const pass = async (stream: 'stdout' | 'stderr', bytes: Buffer | undefined): Promise<void> => {
      if (bytes !== undefined && bytes.length > 0) await sink(stream, bytes);
    };
    for await (const frame of this.#frames) {
      if (frame.kind !== 'event') {
        gap = undefined;
        const filter = filters[frame.kind];
        await pass(frame.kind, filter === undefined ? frame.bytes : filter.push(frame.bytes));
        continue;
      }
      if (frame.event.event === 'started') throw brokenProtocol('the start of a process once more');
      // What a filter holds back belongs in front of the gap or the end.
      await pass('stdout', filters.stdout?.end());
      await pass('stderr', filters.stderr?.end());
      if (frame.event.event === 'exit') return frame.event;
      // An agent tells what is missing together with what comes behind it.
      if (gap?.stream === frame.event.stream) throw brokenProtocol('a gap behind a gap');
      gap = frame.event;
      await onGap?.(gap);
    }
    throw new PyroError('guest_unreachable', 'the connection to the guest was lost before the process ended');
  }

  /**
   * Copies a stream to standard input and closes that at its end. Ends quietly when the process no longer reads. Throws
   * `input_failed` where the stream does: the process then sees no end.
   */
  async feed(input: Readable, signal?: AbortSignal): Promise<void> {
    if (input.errored !== null) throw inputError(input.errored);
    const path = `/v1/processes/${this.id}/input`;
    const stream = this.#client.open('POST', path, { signal });
    // A stream that is cut off may look to the guest as if it had ended: it is told the end by itself.
    const isTaken = new Promise<boolean>((resolve) => {
      stream.once('response', ({ ':status': status }) => resolve(status === 200));
      stream.once('close', () => resolve(false));
    });
    stream.resume();
    let failure: PyroError | undefined;
    const onBroken = (error?: Error): void => {
      // An input that is closed since nobody reads it any more has not failed.
      if (input.readableEnded || stream.destroyed || signal?.aborted === true) return;
      failure ??= inputError(error ?? new Error('it was closed'));
    };
    input.once('error', onBroken).once('close', onBroken);
    try {
      await pipeline(input, stream, { ...(signal === undefined ? {} : { signal }) });
      if (await isTaken) await this.#client.call('POST', `${path}?eof=1`, undefined, inputAnswerSchema, { signal });
    } catch {
      // The process may end, or close its input, before it has read everything; its exit tells the rest.
    } finally {
      input.off('error', onBroken).off('close', onBroken);
    }
    if (failure !== undefined) throw failure;
  }

  /** Writes to standard input, which stays open; gives the count of bytes that were taken. */
  async write(bytes: Buffer, options: CallOptions = {}): Promise<number> {
    return (await this.#client.send(`/v1/processes/${this.id}/input`, bytes, inputAnswerSchema, options)).bytes;
  }

  async signal(name: string, scope: SignalRequest['scope'], options: CallOptions = {}): Promise<void> {
    const body: SignalRequest = { signal: name, scope };
    await this.#client.call('POST', `/v1/processes/${this.id}/signal`, body, emptyAnswerSchema, options);
  }

  async resize(size: TerminalSize, options: CallOptions = {}): Promise<void> {
    await this.#client.call('POST', `/v1/processes/${this.id}/resize`, size, emptyAnswerSchema, options);
  }
}

async function* readFrames(stream: ClientHttp2Stream, signal: AbortSignal | undefined): AsyncGenerator<Frame> {
  const decoder = new FrameDecoder();
  const turns = new Turns();
  try {
    for await (const chunk of chunksIn(stream)) {
      for (const frame of decoder.push(chunk)) {
        yield frame;
        if (turns.isOver) await turns.next();
      }
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof PyroError) throw error;
    throw new PyroError('guest_unreachable', 'the connection to the guest was lost', { cause: error });
  } finally {
    stream.destroy();
  }
  if (!decoder.isAtBoundary) throw new PyroError('guest_protocol', "the guest's output was cut off inside a frame");
}
