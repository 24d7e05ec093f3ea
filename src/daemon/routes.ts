// What the daemon answers to which request.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { callSchema, cancelSchema, stopSchema } from '../contract/frames.ts';
import type { DaemonStatus } from '../contract/machine.ts';
import type { AnyOperation } from '../operations/define.ts';
import { PyroError, reportError } from '../shared/errors.ts';
import { readBody } from './body.ts';
import type { Calls, Work } from './calls.ts';
import { callHeader, callPath, cancelPath, statusPath, stopPath, versionHeader } from './protocol.ts';
import { isNewer } from './versions.ts';

export interface RouteContext {
  readonly operations: ReadonlyMap<string, AnyOperation>;
  readonly calls: Calls;
  readonly version: string;
  readonly status: () => DaemonStatus;
  readonly isEnding: () => boolean;
  readonly end: (request: { readonly isDraining: boolean }) => void;
}

/** Handles one request to its end; never throws. */
export async function route(context: RouteContext, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // A caller that is cut off is told apart by its response's close.
  request.on('error', () => undefined);
  response.on('error', () => undefined);
  response.setHeader(versionHeader, context.version);
  try {
    switch (`${request.method} ${request.url}`) {
      case `GET ${statusPath}`:
        sendJson(response, 200, context.status());
        return;
      case `POST ${stopPath}`: {
        const { drain } = await readBody(request, stopSchema);
        // Left open: that it closes tells the caller that the daemon is gone.
        response.writeHead(200, { 'content-type': 'application/x-ndjson' });
        response.write('{"ending":true}\n');
        context.end({ isDraining: drain });
        return;
      }
      case `POST ${cancelPath}`:
        sendJson(response, 200, { cancelled: context.calls.cancel((await readBody(request, cancelSchema)).call) });
        return;
      case `POST ${callPath}`:
        await takeCall(context, request, response);
        return;
      default:
        refuse(response, 404, new PyroError('usage', `no such request: ${request.method} ${request.url}`));
    }
  } catch (error) {
    refuse(response, 400, error);
  }
}

async function takeCall(context: RouteContext, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await readBody(request, callSchema);
  const refusal = refusalOf(context, body.context.front.version);
  if (refusal !== undefined) {
    refuse(response, refusal.status, refusal.error);
    return;
  }
  const operation = context.operations.get(body.operation);
  if (operation === undefined) {
    refuse(response, 400, operationMissing(context, body.operation));
    return;
  }
  const work: Work = {
    operation: body.operation,
    caller: body.context,
    run: async (own) => ({ output: (await operation.invoke(own, body.input)).output }),
  };
  await context.calls.answer(work, response, String(request.headers[callHeader] ?? ''));
}

/** Why no call is taken now, or none of this caller. */
export function refusalOf(
  { isEnding, version }: RouteContext,
  callerVersion: string,
): { readonly status: number; readonly error: PyroError } | undefined {
  if (isEnding()) {
    const error = new PyroError('daemon_draining', 'the daemon is shutting down', { hint: 'the next one starts soon' });
    return { status: 503, error };
  }
  if (!isNewer(callerVersion, version)) return undefined;
  const message = `the daemon is pyro ${version}, the caller ${callerVersion}`;
  return { status: 409, error: new PyroError('daemon_version', message, { hint: 'stop it with: pyro daemon stop' }) };
}

export function operationMissing({ version }: RouteContext, name: string): PyroError {
  const message = `the daemon, pyro ${version}, has no operation ${name}`;
  return new PyroError('daemon_version', message, { hint: 'update this pyro, or: pyro daemon stop' });
}

function refuse(response: ServerResponse, status: number, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  // The rest of a body that nobody reads would keep the connection busy.
  response.setHeader('connection', 'close');
  sendJson(response, status, { error: reportError(error) });
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(value)}\n`);
}
