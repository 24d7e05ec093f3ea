// A server in front of a test registry: it notes each request, answers some itself and hands the others on.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

export interface SeenRequest {
  readonly url: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
}

export interface Front {
  readonly host: string;
  readonly seen: SeenRequest[];
  readonly stop: () => Promise<void>;
}

/** True when the handler has answered, or will. */
export type Handler = (request: IncomingMessage, response: ServerResponse, front: Front) => boolean | Promise<boolean>;

export async function startFront(target: string, handle: Handler): Promise<Front> {
  const seen: SeenRequest[] = [];
  const server = createServer(async (request, response) => {
    const { authorization, range } = request.headers;
    const url = request.url ?? '/';
    seen.push({ url, authorization, range });
    if (await handle(request, response, front)) return;
    const answer = await fetch(`http://${target}${url}`, {
      headers: { accept: request.headers.accept ?? '*/*', ...(range === undefined ? {} : { range }) },
    });
    const body = Buffer.from(await answer.arrayBuffer());
    const headers: Record<string, string | number> = { 'content-length': body.length };
    for (const name of ['content-type', 'content-range']) headers[name] = answer.headers.get(name) ?? '';
    response.writeHead(answer.status, headers).end(body);
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  const front: Front = { host: `127.0.0.1:${port}`, seen, stop };
  return front;
}
