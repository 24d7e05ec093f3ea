// A call with streams, at the caller: its standard input and signals go to the daemon, output comes as it is written.
import type { Writable } from 'node:stream';
import type { RunIo } from '../contract/call.ts';
import { type CallBody, type Control, type LiveMessage, liveMessageSchema } from '../contract/frames.ts';
import type { CallContext } from '../shared/call-context.ts';
import { errorFromReport, isPyroError, messageOf } from '../shared/errors.ts';
import { isNoLongerWaiting } from '../shared/leaving.ts';
import { writeTo } from '../shared/write-to.ts';
import { lost } from './frames.ts';
import { sendUpgrade } from './http.ts';
import { frameKind, liveProtocol, parseMessage, readLiveFrames, writeFrame, writeMessage } from './live-frames.ts';
import { InputPump } from './live-input.ts';
import type { DaemonProgram } from './program.ts';
import { livePath, versionHeader } from './protocol.ts';
import { untilTaken } from './remote.ts';

/** Longest frame that the daemon sends: a whole result */
const longestFrame = 512 * 1024 * 1024;
/** A command whose reader has gone may end by its signal for so long, `ms` */
const pipeGraceMs = 2000;
/** Whoever leaves waits so long for the daemon to close its side, `ms` */
const leaveMs = 1000;

export interface LiveCall {
  readonly body: CallBody;
  readonly io: RunIo;
  /** True for what the operation does with `--follow` */
  readonly follows: boolean;
}

export type LiveResult = { readonly output: Readonly<Record<string, unknown>> } | { readonly followed: string };

/** What the operation gave. Throws what it threw, `output_closed`, `cancelled`, or `daemon_lost`. */
export async function callDaemonLive(
  program: DaemonProgram,
  { body, io, follows }: LiveCall,
  context: CallContext,
): Promise<LiveResult> {
  const { signal, onProgress } = context;
  const headers = { connection: 'upgrade', upgrade: liveProtocol, [versionHeader]: program.version };
  const [answer] = await untilTaken(program, context, (path) =>
    sendUpgrade({ socket: path, method: 'GET', path: livePath, headers, signal }),
  );
  if (!('head' in answer)) throw lost('it did not upgrade the connection');
  const { socket, head } = answer;
  socket.on('error', () => undefined);
  const say = (message: Control): void => {
    // A daemon that has gone is noticed by the reader.
    void writeMessage(socket, message).catch(() => undefined);
  };
  const pump =
    io.stdin === undefined
      ? undefined
      : new InputPump(io.stdin, {
          send: (bytes) => writeFrame(socket, frameKind.stdin, bytes),
          end: () => writeMessage(socket, { end_of_input: true }),
          fail: (message) => writeMessage(socket, { input_failed: message }),
        });
  let followedBy: string | undefined;
  let undo: (() => void) | undefined;
  let hasLeft = false;
  const leave = (): void => {
    hasLeft = true;
    if (undo === undefined || !isNoLongerWaiting(signal.reason)) say({ cancel: true });
    socket.end();
    setTimeout(() => socket.destroy(), leaveMs).unref();
  };
  const onMessage = (message: LiveMessage): LiveResult | undefined => {
    if ('output' in message || 'followed' in message) return message;
    if ('error' in message) throw errorFromReport(message.error);
    if ('progress' in message) onProgress(message.progress);
    else if ('credit' in message) pump?.allow(message.credit);
    else {
      followedBy = message.started.followed_by ?? undefined;
      undo = io.onStarted({
        signal: (name) => say({ signal: name }),
        resize: (size) => say({ resize: size }),
        followedBy,
      });
    }
    return undefined;
  };
  const output = new LiveOutput(io, signal, say);
  signal.addEventListener('abort', leave, { once: true });
  try {
    signal.throwIfAborted();
    await writeMessage(socket, {
      call: body,
      follows,
      stdin: io.stdin !== undefined,
      output: io.stdout !== undefined,
      terminal: io.terminal === undefined ? null : { ...io.terminal },
    });
    for await (const frame of readLiveFrames(socket, head, longestFrame)) {
      if (frame.kind === frameKind.stdout || frame.kind === frameKind.stderr)
        await output.take(frame.kind, frame.payload);
      else if (hasLeft) throw signal.reason;
      else {
        const result = onMessage(parseMessage(frame, liveMessageSchema));
        if (result === undefined) continue;
        output.assertWhole();
        return result;
      }
    }
    throw lost('its answer ended early', undefined, followedBy);
  } catch (error) {
    output.assertWhole();
    if (hasLeft) throw signal.reason;
    if (isPyroError(error)) throw error;
    throw lost(messageOf(error), error, followedBy);
  } finally {
    signal.removeEventListener('abort', leave);
    output.stop();
    undo?.();
    pump?.stop();
    socket.destroy();
  }
}

/** Output as it comes. A reader that has gone ends the command, as a closed pipe would on this machine. */
class LiveOutput {
  readonly #io: RunIo;
  readonly #signal: AbortSignal;
  readonly #say: (message: Control) => void;
  #failure: unknown;
  #timer: NodeJS.Timeout | undefined;

  constructor(io: RunIo, signal: AbortSignal, say: (message: Control) => void) {
    this.#io = io;
    this.#signal = signal;
    this.#say = say;
  }

  async take(kind: typeof frameKind.stdout | typeof frameKind.stderr, bytes: Buffer): Promise<void> {
    const sink: Writable | undefined = kind === frameKind.stdout ? this.#io.stdout : this.#io.stderr;
    if (sink === undefined || this.#failure !== undefined) return;
    try {
      await writeTo(sink, bytes, this.#signal);
    } catch (error) {
      if (this.#signal.aborted) throw error;
      this.#failure = error;
      this.#say({ signal: 'PIPE' });
      this.#timer = setTimeout(() => this.#say({ cancel: true }), pipeGraceMs);
    }
  }

  /** Throws what kept the output from being written. */
  assertWhole(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
