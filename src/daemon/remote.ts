// A call to the daemon: started when none runs, replaced when it is older than this pyro, tried again only when it took nothing.
import { randomUUID } from 'node:crypto';
import { IncomingMessage } from 'node:http';
import { refusalSchema } from '../contract/frames.ts';
import type { CallContext } from '../shared/call-context.ts';
import { errorFromReport, PyroError } from '../shared/errors.ts';
import { startDaemon } from './autostart.ts';
import { stopDaemon } from './control.ts';
import { readFrames } from './frames.ts';
import { notTaken, readText, sendRequest, type Upgraded } from './http.ts';
import { locateDaemon } from './places.ts';
import type { DaemonProgram } from './program.ts';
import { callHeader, callPath, cancelPath, versionHeader } from './protocol.ts';
import { isNewer } from './versions.ts';

/** A start and a replacement may both be needed; more than that means that something is wrong. */
const mostAttempts = 4;
/** Longest wait for a cancel to be taken; the connection is closed after it in any case */
const cancelMs = 2000;

/** The raw output of an operation that ran in the daemon; `body` is its call, as JSON. */
export async function callDaemon(
  program: DaemonProgram,
  body: string,
  context: CallContext,
): Promise<Readonly<Record<string, unknown>>> {
  const id = randomUUID();
  const { signal } = context;
  const headers = { [callHeader]: id };
  const [answer, socket] = await untilTaken(program, context, async (path) => {
    return await sendRequest({ socket: path, method: 'POST', path: callPath, body, headers, signal });
  });
  const cancel = async (): Promise<void> => {
    await sendRequest({
      socket,
      method: 'POST',
      path: cancelPath,
      body: JSON.stringify({ call: id }),
      signal: AbortSignal.timeout(cancelMs),
    });
  };
  return await readFrames(answer, context.onProgress, signal, cancel);
}

/**
 * Asks until a daemon takes the request: one is started when none runs, and one that is older is replaced. Gives the
 * answer and the socket that it came from.
 */
export async function untilTaken<A extends IncomingMessage | Upgraded>(
  program: DaemonProgram,
  { signal, onProgress }: CallContext,
  ask: (socket: string) => Promise<A | typeof notTaken>,
): Promise<readonly [A, string]> {
  for (let attempt = 0; attempt < mostAttempts; attempt++) {
    const places = await locateDaemon(program.paths);
    const answer = await ask(places.socket);
    if (answer === notTaken) {
      onProgress({ phase: 'daemon', message: 'starting the daemon' });
      await startDaemon(program, places, signal);
      continue;
    }
    if (!(answer instanceof IncomingMessage) || answer.statusCode === 200) return [answer, places.socket];
    const theirs = String(answer.headers[versionHeader] ?? '');
    const refusal = errorFromReport(refusalSchema.parse(JSON.parse(await readText(answer))).error);
    const isOlder = isNewer(program.version, theirs) && (answer.statusCode === 409 || answer.statusCode === 404);
    if (!isOlder && answer.statusCode !== 503) {
      if (answer.statusCode !== 404) throw refusal;
      throw new PyroError(
        'daemon_version',
        `the daemon is pyro ${theirs}, which this pyro ${program.version} cannot talk to`,
        {
          hint: 'update this pyro, or stop the daemon with the newer one: pyro daemon stop',
        },
      );
    }
    onProgress({ phase: 'daemon', message: `waiting for the daemon (pyro ${theirs}) to finish its calls` });
    await stopDaemon(places, { force: false }, signal);
  }
  throw new PyroError('daemon_unresponsive', 'the daemon accepted no call in several attempts', {
    hint: 'pyro daemon status shows what runs',
  });
}
