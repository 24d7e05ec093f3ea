// The calls that run now: each is an operation, its frames, and an abort when the caller goes away.
import type { ServerResponse } from 'node:http';
import type { Engine } from '../engine/engine-types.ts';
import { parseInput } from '../operations/check-input.ts';
import type { AnyOperation } from '../operations/define.ts';
import { withWorkspaceId } from '../operations/workspace-reference.ts';
import { type ErrorReport, PyroError, reportError } from '../shared/errors.ts';
import type { Log } from '../system/log.ts';
import type { CallBody, Frame } from './protocol.ts';

/** A caller that reads slowly misses progress, never its result. */
const mostUnreadBytes = 1024 * 1024;

export interface Calls {
  readonly count: () => number;
  /** Runs an operation and answers in frames; never throws */
  readonly answer: (operation: AnyOperation, body: CallBody, response: ServerResponse) => Promise<void>;
  readonly whenNone: () => Promise<void>;
  /** Lets go of all callers without aborting their work: commands in guests run on and are followed by the next daemon */
  readonly cutOff: () => void;
}

export function openCalls(engine: Engine, log: Log): Calls {
  const open = new Set<ServerResponse>();
  let waiters: (() => void)[] = [];
  let isCut = false;

  const answer: Calls['answer'] = async (operation, body, response) => {
    const controller = new AbortController();
    open.add(response);
    response.once('close', () => {
      if (!response.writableFinished && !isCut) {
        controller.abort(new PyroError('cancelled', 'the caller went away'));
      }
    });
    const send = (frame: Frame): boolean => response.writable && response.write(`${JSON.stringify(frame)}\n`);
    // Before anything happens: a caller that never saw this head knows that its request was not taken.
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    response.flushHeaders();
    try {
      const { host_paths: hostPaths, project, network } = body.context;
      parseInput(operation, body.input);
      const { workspaces } = engine;
      const input =
        workspaces === undefined ? body.input : withWorkspaceId(operation, body.input, (each) => workspaces.find(each));
      const outcome = await operation.invoke(
        {
          engine,
          io: undefined,
          signal: controller.signal,
          onProgress: (progress) => {
            if (response.writableLength < mostUnreadBytes) send({ progress });
          },
          hostPaths,
          project: project ?? undefined,
          network: network ?? undefined,
          daemon: undefined,
        },
        input,
      );
      send({ output: outcome.output });
    } catch (error) {
      send({ error: copy(reportFor(error, operation, log)) });
    } finally {
      open.delete(response);
      response.end();
      if (open.size === 0) {
        for (const wake of waiters.splice(0)) wake();
      }
    }
  };

  return {
    count: () => open.size,
    answer,
    whenNone: async () => {
      if (open.size === 0) return;
      await new Promise<void>((resolve) => {
        waiters = [...waiters, resolve];
      });
    },
    cutOff: () => {
      isCut = true;
      for (const response of open) response.destroy();
    },
  };
}

/** A fault of ours is told with the place where its stack stands. */
function reportFor(error: unknown, operation: AnyOperation, log: Log): ErrorReport {
  const report = reportError(error);
  if (report.code !== 'internal') return report;
  log.fault('operation_failed', error, { operation: operation.definition.name });
  return { ...report, hint: `this is a fault in pyro; ${log.path} says where it happened` };
}

function copy({ details, ...rest }: ErrorReport): Extract<Frame, { error: unknown }>['error'] {
  const entries = Object.entries(details).map(([key, value]): [string, string | number | boolean | string[] | null] => [
    key,
    typeof value === 'object' && value !== null ? [...value] : value,
  ]);
  return { ...rest, details: Object.fromEntries(entries) };
}
