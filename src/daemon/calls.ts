// The calls that run now: each is an operation, its frames, and an abort when the caller goes away.
import type { ServerResponse } from 'node:http';
import type { RunIo } from '../contract/call.ts';
import type { CallBody, Frame } from '../contract/frames.ts';
import type { Engine } from '../engine/engine.ts';
import type { OperationContext } from '../operations/define.ts';
import { type ErrorReport, PyroError, reportError } from '../shared/errors.ts';
import { noLongerWaiting } from '../shared/leaving.ts';
import type { Log } from '../system/log.ts';
import { StallWatch } from './stall-watch.ts';

/** A caller that reads slowly misses progress, never its result. */
const mostUnreadBytes = 1024 * 1024;

/** An operation with its input, as whoever has read the request puts them together. */
export interface Work {
  readonly operation: string;
  readonly caller: CallBody['context'];
  readonly run: (context: OperationContext) => Promise<Result>;
}

export type Result = Extract<Frame, { output: unknown }> | { readonly followed: string };

/** Who is answered: streams where it has them, and where frames go. */
export interface Caller {
  readonly signal: AbortSignal;
  readonly io: RunIo | undefined;
  /** True while much waits to be read: progress is left out then */
  readonly isBehind: () => boolean;
  readonly send: (frame: Frame | Result) => Promise<void>;
}

export interface Calls {
  readonly count: () => number;
  /** Does the work and answers in frames, the last of which is sent when it comes back; never throws */
  readonly perform: (work: Work, caller: Caller) => Promise<void>;
  /** The same for a plain request; `id` names it for {@link cancel} */
  readonly answer: (work: Work, response: ServerResponse, id: string) => Promise<void>;
  /** Counts a connection until what it gives back is called; `cut` ends it without aborting its work */
  readonly enter: (cut: () => void) => () => void;
  /** Ends a call because someone means it; false when there is none */
  readonly cancel: (id: string) => boolean;
  readonly whenNone: () => Promise<void>;
  /** Lets go of all callers without aborting their work: commands in guests run on and are followed by the next daemon */
  readonly cutOff: () => void;
}

export function openCalls(engine: Engine, log: Log): Calls {
  const open = new Set<() => void>();
  const cancellable = new Map<string, AbortController>();
  const stalls = new StallWatch(log);
  let waiters: (() => void)[] = [];

  const enter: Calls['enter'] = (cut) => {
    open.add(cut);
    return () => {
      open.delete(cut);
      if (open.size > 0) return;
      for (const wake of waiters.splice(0)) wake();
    };
  };

  const perform: Calls['perform'] = async ({ operation, caller, run }, { signal, io, isBehind, send }) => {
    const over = stalls.begin(operation);
    try {
      const { host_paths: hostPaths, project, network } = caller;
      const context: OperationContext = {
        engine,
        io,
        signal,
        onProgress: (progress) => {
          if (!isBehind()) void send({ progress }).catch(() => undefined);
        },
        hostPaths,
        project: project ?? undefined,
        network: network ?? undefined,
        daemon: undefined,
      };
      await send(await run(context));
    } catch (error) {
      // A caller that has gone is told nothing.
      await send({ error: copy(reportFor(error, operation, log)) }).catch(() => undefined);
    } finally {
      over();
    }
  };

  const answer: Calls['answer'] = async (work, response, id) => {
    const controller = new AbortController();
    let isCut = false;
    const leave = enter(() => {
      isCut = true;
      response.destroy();
    });
    response.once('close', () => {
      if (!response.writableFinished && !isCut) controller.abort(noLongerWaiting('the caller went away'));
    });
    if (id !== '') cancellable.set(id, controller);
    // Before anything happens: a caller that never saw this head knows that its request was not taken.
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    response.flushHeaders();
    try {
      await perform(work, {
        signal: controller.signal,
        io: undefined,
        isBehind: () => response.writableLength >= mostUnreadBytes,
        send: async (frame) => {
          if (response.writable) response.write(`${JSON.stringify(frame)}\n`);
        },
      });
    } finally {
      cancellable.delete(id);
      leave();
      response.end();
    }
  };

  return {
    count: () => open.size,
    perform,
    answer,
    enter,
    cancel: (id) => {
      const controller = cancellable.get(id);
      controller?.abort(new PyroError('cancelled', 'the caller cancelled the call'));
      return controller !== undefined;
    },
    whenNone: async () => {
      if (open.size === 0) return;
      await new Promise<void>((resolve) => {
        waiters = [...waiters, resolve];
      });
    },
    cutOff: () => {
      for (const cut of open) cut();
    },
  };
}

/** A fault of ours is told with the place where its stack stands. */
function reportFor(error: unknown, operation: string, log: Log): ErrorReport {
  const report = reportError(error);
  if (report.code !== 'internal') return report;
  log.fault('operation_failed', error, { operation });
  return { ...report, hint: `this is a bug in pyro; ${log.path} says where it happened` };
}

function copy({ details, ...rest }: ErrorReport): Extract<Frame, { error: unknown }>['error'] {
  const entries = Object.entries(details).map(([key, value]): [string, string | number | boolean | string[] | null] => [
    key,
    typeof value === 'object' && value !== null ? [...value] : value,
  ]);
  return { ...rest, details: Object.fromEntries(entries) };
}
