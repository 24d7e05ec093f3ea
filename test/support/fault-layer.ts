// Loaded before a program (`node --import`): its writes to the host fail, or it is killed at one of its steps, as a test wants.
//
// Each write has a place: what is called, and the functions of `src` that stand behind the call. A test learns the places that
// an operation visits, then has the writes of one place fail; or it counts the steps (writes, programs, requests to a guest
// and their answers) and has the process killed at the n-th.
import childProcess from 'node:child_process';
import fs from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import http2 from 'node:http2';
import { syncBuiltinESMExports } from 'node:module';
import { constants } from 'node:os';

export type FaultCode = 'ENOSPC' | 'EDQUOT' | 'EIO' | 'EROFS' | 'EMFILE';

/** What a test asks for; the rest of the time all goes well */
export type FaultOrder =
  | { readonly kind: 'learn' }
  /** From the visit after so many that go well */
  | { readonly kind: 'fail'; readonly place: string; readonly code: FaultCode; readonly after?: number }
  | { readonly kind: 'kill'; readonly step: number }
  /** The clock of the machine is set, by so much from what it is */
  | { readonly kind: 'clock'; readonly shiftMs: number };

export interface FaultReport {
  /** Places of writes that were visited since the last order */
  readonly places: readonly string[];
  /** Steps since then */
  readonly steps: number;
  /** Writes that failed by the order */
  readonly hits: number;
}

const source = /\/src\/(\S+?)\.ts:\d+:\d+/;
/** So many functions of `src` tell one place from another */
const depth = 4;

let order: FaultOrder = { kind: 'learn' };
let places = new Set<string>();
let steps = 0;
let hits = 0;
let visits = 0;

function placeOf(name: string): string | undefined {
  const usual = Error.stackTraceLimit;
  Error.stackTraceLimit = 40;
  const lines = new Error().stack?.split('\n') ?? [];
  Error.stackTraceLimit = usual;
  const frames = lines.flatMap((line) => {
    const file = source.exec(line)?.[1];
    if (file === undefined) return [];
    const called = /at (?:async )?(?:new )?(\S+) \(/.exec(line)?.[1] ?? '';
    return [`${file}:${called}`];
  });
  return frames.length === 0 ? undefined : [name, ...frames.slice(0, depth)].join(' < ');
}

/** A step at which the process may end. */
function step(): void {
  steps += 1;
  if (order.kind === 'kill' && steps === order.step) process.kill(process.pid, 'SIGKILL');
}

function failure(code: FaultCode, name: string, path: unknown): Error {
  const shown = typeof path === 'string' ? ` '${path}'` : '';
  // Node has no name for a quota that is used up.
  const told = code === 'EDQUOT' ? `Unknown system error -${constants.errno[code]}` : code;
  const error = new Error(`${told}: by order of a test, ${name}${shown}`);
  return Object.assign(error, {
    code: told,
    errno: -constants.errno[code],
    syscall: name,
    ...(typeof path === 'string' ? { path } : {}),
  });
}

/** Notes a write; throws when it is to fail. */
function visit(name: string, path: unknown, known?: string): void {
  const place = known ?? placeOf(name);
  if (place === undefined) return;
  step();
  places.add(place);
  if (order.kind !== 'fail' || order.place !== place) return;
  visits += 1;
  if (visits <= (order.after ?? 0)) return;
  hits += 1;
  throw failure(order.code, name, path);
}

/** Flags of an open that can change something */
function isForWriting(flags: unknown): boolean {
  if (flags === undefined) return false;
  if (typeof flags === 'string') return /[wa+]/.test(flags);
  const { O_WRONLY, O_RDWR, O_CREAT } = fs.constants;
  return typeof flags === 'number' && (flags & (O_WRONLY | O_RDWR | O_CREAT)) !== 0;
}

type Callable = (...args: readonly unknown[]) => unknown;

/** Puts something before a function of an object that is not ours, whatever its type. */
function before(owner: object, name: string, act: (args: readonly unknown[]) => void, isPromise: boolean): void {
  const original: unknown = Reflect.get(owner, name);
  if (typeof original !== 'function') throw new Error(`there is no function ${name} to fail`);
  const replacement = function (this: unknown, ...args: readonly unknown[]): unknown {
    try {
      act(args);
    } catch (error) {
      if (isPromise) return Promise.reject(error);
      throw error;
    }
    return Reflect.apply(original, this, args);
  };
  Object.defineProperty(replacement, 'name', { value: name });
  Reflect.set(owner, name, replacement);
}

const changing = [
  ...[
    'appendFile',
    'chmod',
    'copyFile',
    'cp',
    'link',
    'mkdir',
    'mkdtemp',
    'rename',
    'rm',
    'rmdir',
    'symlink',
    'truncate',
  ],
  ...['unlink', 'utimes', 'lutimes', 'writeFile'],
];
for (const name of changing) {
  before(fs.promises, name, (args) => visit(name, args[0]), true);
  before(fs, `${name}Sync`, (args) => visit(name, args[0]), false);
}
for (const name of ['writeSync', 'writevSync', 'ftruncateSync', 'fsyncSync'])
  before(fs, name, () => visit(name, undefined), false);
const opening = (args: readonly unknown[]): void => {
  if (isForWriting(args[1])) visit('open', args[0]);
};
before(fs.promises, 'open', opening, true);
before(fs, 'openSync', opening, false);

const handle: FileHandle = await fs.promises.open('/dev/null', 'r');
const prototype: object = Object.getPrototypeOf(handle);
await handle.close();
for (const name of ['write', 'writev', 'writeFile', 'appendFile', 'truncate', 'sync', 'datasync', 'chmod', 'utimes']) {
  before(prototype, name, () => visit(`handle.${name}`, undefined), true);
}

// A stream writes long after its caller has gone: it keeps the place of its making.
const createWriteStream = fs.createWriteStream;
const openCallback: unknown = fs.open;
const writeCallback: unknown = fs.write;
const writevCallback: unknown = fs.writev;
fs.createWriteStream = (path, given) => {
  const place = placeOf('stream');
  if (place === undefined) return createWriteStream(path, given);
  const options = typeof given === 'string' ? { encoding: given } : { ...given };
  const failing =
    (name: string, original: unknown): Callable =>
    (...args) => {
      const last = args.at(-1);
      try {
        visit(name, path, `${name} ${place}`);
      } catch (error) {
        if (typeof last === 'function') process.nextTick(() => last(error));
        return undefined;
      }
      return typeof original === 'function' ? Reflect.apply(original, fs, args) : undefined;
    };
  const own = {
    open: failing('open', openCallback),
    write: failing('write', writeCallback),
    writev: failing('writev', writevCallback),
    close: fs.close,
  };
  return createWriteStream(path, { ...options, fs: own });
};

before(childProcess, 'spawn', step, false);
before(childProcess, 'spawnSync', step, false);
const connect = http2.connect;
const connecting: Callable = (...args) => {
  const session: unknown = Reflect.apply(connect, http2, args);
  if (typeof session === 'object' && session !== null) {
    const request: unknown = Reflect.get(session, 'request');
    Reflect.set(session, 'request', (...sent: readonly unknown[]) => {
      step();
      const stream: unknown = typeof request === 'function' ? Reflect.apply(request, session, sent) : undefined;
      if (stream instanceof Object && 'prependListener' in stream && typeof stream.prependListener === 'function') {
        Reflect.apply(stream.prependListener, stream, ['response', step]);
      }
      return stream;
    });
  }
  return session;
};
Reflect.set(http2, 'connect', connecting);
syncBuiltinESMExports();

let shiftMs = 0;
const RealDate = Date;
class ShiftedDate extends RealDate {
  constructor(...given: [] | [number | string | Date]) {
    const [value = ShiftedDate.now()] = given;
    super(value);
  }
  static override now(): number {
    return RealDate.now() + shiftMs;
  }
}
Reflect.set(globalThis, 'Date', ShiftedDate);

function isOrder(message: unknown): message is FaultOrder {
  return typeof message === 'object' && message !== null && 'kind' in message;
}

// Each order is answered by what has happened since the one before.
process.on('message', (message) => {
  if (!isOrder(message)) return;
  const report: FaultReport = { places: [...places], steps, hits };
  order = message;
  if (order.kind === 'clock') shiftMs = order.shiftMs;
  places = new Set();
  steps = 0;
  hits = 0;
  visits = 0;
  process.send?.(report);
});
// A program is not kept alive by who may order its faults.
process.channel?.unref();
