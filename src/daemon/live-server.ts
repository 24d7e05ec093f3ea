// A call with streams, in the daemon: the connection carries standard input, output and signals until the operation is over.
import type { IncomingMessage } from 'node:http';
import { type Duplex, Writable } from 'node:stream';
import type { RunControl, RunIo } from '../contract/call.ts';
import { controlSchema, type Opening, openingSchema } from '../contract/frames.ts';
import type { AnyOperation } from '../operations/define.ts';
import { PyroError, reportError } from '../shared/errors.ts';
import { noLongerWaiting } from '../shared/leaving.ts';
import type { Work } from './calls.ts';
import {
  frameKind,
  type LiveFrame,
  type LiveKind,
  liveProtocol,
  parseMessage,
  pieceBytes,
  readLiveFrames,
  writeFrame,
  writeMessage,
} from './live-frames.ts';
import { type LiveInput, openLiveInput } from './live-input.ts';
import { livePath, longestBody, versionHeader } from './protocol.ts';
import { operationMissing, type RouteContext, refusalOf } from './routes.ts';

/** What may wait to be read before progress is left out, `bytes` */
const mostUnreadBytes = 262_144;

/** Takes over a connection that was upgraded; never throws. */
export async function serveLive(
  context: RouteContext,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  socket.on('error', () => undefined);
  try {
    if (request.url !== livePath || request.headers.upgrade !== liveProtocol) {
      refuse(context, socket, 404, new PyroError('usage', `no such request: ${request.url}`));
      return;
    }
    const refusal = refusalOf(context, String(request.headers[versionHeader] ?? ''));
    if (refusal !== undefined) {
      refuse(context, socket, refusal.status, refusal.error);
      return;
    }
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${liveProtocol}\r\n${versionHeader}: ${context.version}\r\n\r\n`,
    );
    await talk(context, socket, head);
  } catch {
    // The caller was cut off, or sent what no front sends.
  } finally {
    socket.end();
  }
}

async function talk(context: RouteContext, socket: Duplex, head: Buffer): Promise<void> {
  const frames = readLiveFrames(socket, head, longestBody + pieceBytes);
  const first = await frames.next();
  if (first.done === true) return;
  const opening = openingOf(first.value);
  if (opening === undefined) {
    const error = new PyroError('usage', 'the start of a call with streams is not valid');
    await writeMessage(socket, { error: { ...reportError(error), details: {} } });
    return;
  }
  const operation = context.operations.get(opening.call.operation);
  if (operation === undefined) {
    await writeMessage(socket, {
      error: { ...reportError(operationMissing(context, opening.call.operation)), details: {} },
    });
    return;
  }
  const controller = new AbortController();
  let isCut = false;
  const leave = context.calls.enter(() => {
    isCut = true;
    socket.destroy();
  });
  const caller = openCaller(socket, opening);
  const reading = readOn(frames, caller, () =>
    controller.abort(new PyroError('cancelled', 'the caller cancelled the call')),
  )
    .catch(() => undefined)
    .then(() => {
      // A terminal that hangs up ends; a pipe that is cut off does not, and what reads it must not believe so.
      if (opening.terminal !== null) caller.input.end();
      if (!isCut) controller.abort(noLongerWaiting('the caller went away'));
    });
  try {
    await context.calls.perform(workOf(operation, opening), {
      signal: controller.signal,
      io: caller.io,
      isBehind: () => socket.writableLength >= mostUnreadBytes,
      send: (message) => writeMessage(socket, message),
    });
  } finally {
    leave();
    socket.end();
    // The caller closes its side when it has read the last frame.
    await reading;
  }
}

function workOf({ follow, invoke }: AnyOperation, { call, follows }: Opening): Work {
  return {
    operation: call.operation,
    caller: call.context,
    run: async (context) => {
      if (follows && follow !== undefined) return { followed: await follow(context, call.input) };
      return { output: (await invoke(context, call.input)).output };
    },
  };
}

function openingOf(frame: LiveFrame): Opening | undefined {
  try {
    return parseMessage(frame, openingSchema);
  } catch {
    // It is said what does not fit; how it was made is its sender's affair.
    return undefined;
  }
}

interface LiveCaller {
  readonly io: RunIo;
  readonly input: LiveInput;
  readonly control: () => RunControl | undefined;
}

function openCaller(socket: Duplex, { stdin, output, terminal }: Opening): LiveCaller {
  let control: RunControl | undefined;
  const tell = (message: Parameters<typeof writeMessage>[1]): void => {
    // A caller that has gone is noticed by the reader.
    void writeMessage(socket, message).catch(() => undefined);
  };
  const input = openLiveInput((bytes) => tell({ credit: bytes }));
  const io: RunIo = {
    stdin: stdin ? input.stream : undefined,
    stdout: output ? streamTo(socket, frameKind.stdout) : undefined,
    stderr: output ? streamTo(socket, frameKind.stderr) : undefined,
    terminal: terminal ?? undefined,
    onStarted: (started) => {
      control = started;
      tell({ started: { followed_by: started.followedBy ?? null } });
      return () => {
        control = undefined;
      };
    },
  };
  return { io, input, control: () => control };
}

/** A piece is taken when the system has it: what a slow reader leaves waits where it comes from. */
function streamTo(socket: Duplex, kind: LiveKind): Writable {
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      const sendAll = async (): Promise<void> => {
        for (let at = 0; at < chunk.length; at += pieceBytes) {
          await writeFrame(socket, kind, chunk.subarray(at, at + pieceBytes));
        }
      };
      sendAll().then(() => done(), done);
    },
  });
  stream.on('error', () => undefined);
  return stream;
}

async function readOn(
  frames: AsyncGenerator<LiveFrame>,
  { input, control }: LiveCaller,
  cancel: () => void,
): Promise<void> {
  for await (const frame of frames) {
    if (frame.kind === frameKind.stdin) {
      input.take(frame.payload);
      continue;
    }
    const message = parseMessage(frame, controlSchema);
    if ('signal' in message) control()?.signal(message.signal);
    else if ('resize' in message) control()?.resize(message.resize);
    else if ('end_of_input' in message) input.end();
    else if ('input_failed' in message) input.fail(message.input_failed);
    else cancel();
  }
}

function refuse({ version }: RouteContext, socket: Duplex, status: number, error: PyroError): void {
  const body = `${JSON.stringify({ error: reportError(error) })}\n`;
  socket.end(
    `HTTP/1.1 ${status} Refused\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${versionHeader}: ${version}\r\n\r\n${body}`,
  );
}
