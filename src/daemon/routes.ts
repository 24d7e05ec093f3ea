// What the daemon answers to which request.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AnyOperation } from '../operations/define.ts';
import type { DaemonStatus } from '../shared/daemon-types.ts';
import { PyroError, reportError } from '../shared/errors.ts';
import { readBody } from './body.ts';
import type { Calls } from './calls.ts';
import { callPath, callSchema, statusPath, stopPath, stopSchema, versionHeader } from './protocol.ts';
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
  // A caller that breaks off is told apart by its response's close.
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
  if (context.isEnding()) {
    refuse(
      response,
      503,
      new PyroError('daemon_draining', 'the daemon is ending', { hint: 'the next one starts soon' }),
    );
    return;
  }
  if (isNewer(body.context.front.version, context.version)) {
    const message = `the daemon is pyro ${context.version}, the caller ${body.context.front.version}`;
    refuse(response, 409, new PyroError('daemon_version', message, { hint: 'end it with: pyro daemon stop' }));
    return;
  }
  const operation = context.operations.get(body.operation);
  if (operation === undefined) {
    const message = `the daemon, pyro ${context.version}, has no operation ${body.operation}`;
    refuse(response, 400, new PyroError('daemon_version', message, { hint: 'update this pyro, or: pyro daemon stop' }));
    return;
  }
  await context.calls.answer(operation, body, response);
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
