// Starts a server as a host would, asks it for its tools and ends it again.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { messageOf } from '../shared/errors.ts';

export type ServerAnswer =
  | {
      readonly isOk: true;
      readonly name: string;
      readonly version: string;
      readonly toolCount: number;
      readonly ms: number;
    }
  | { readonly isOk: false; readonly reason: string };

export interface ProbeOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

const initializedSchema = z.object({ serverInfo: z.object({ name: z.string(), version: z.string() }) });
const toolsSchema = z.object({ tools: z.array(z.object({ name: z.string() })) });
const responseSchema = z.object({
  id: z.number(),
  result: z.unknown().optional(),
  error: z.object({ message: z.string() }).optional(),
});
const longestLine = 8 * 1024 * 1024;
const longestComplaint = 2000;
const graceMs = 1000;

export async function probeServer(command: readonly string[], options: ProbeOptions): Promise<ServerAnswer> {
  const [program = '', ...args] = command;
  const startedAt = performance.now();
  const child = spawn(program, args, { cwd: options.cwd, env: { ...options.env }, stdio: ['pipe', 'pipe', 'pipe'] });
  const closed = once(child, 'close').catch(() => undefined);
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString('utf8')).slice(-longestComplaint);
  });
  const broken = new AbortController();
  child.once('error', (error) => broken.abort(error));
  // A server that ended says so by its end, not by the broken pipe.
  child.stdin.on('error', () => undefined);
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const deadline = new AbortController();
  const signal = AbortSignal.any([options.signal, deadline.signal, broken.signal]);
  const timer = setTimeout(() => deadline.abort(), options.timeoutMs);

  const ask = async (id: number, method: string, params: unknown): Promise<unknown> => {
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
    for (;;) {
      const line = await untilAborted(answers.next(), signal);
      if (line.done === true) throw new Error(`it ended before it answered ${method}`);
      const response = parseLine(line.value);
      if (response === undefined || response.id !== id) continue;
      if (response.error !== undefined) throw new Error(`${method}: ${response.error.message}`);
      return response.result;
    }
  };

  try {
    const clientInfo = { name: 'pyro-host-doctor', version: '1' };
    const hello = await ask(1, 'initialize', { protocolVersion: '2025-06-18', capabilities: {}, clientInfo });
    const { serverInfo } = initializedSchema.parse(hello);
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })}\n`);
    const { tools } = toolsSchema.parse(await ask(2, 'tools/list', {}));
    return { isOk: true, ...serverInfo, toolCount: tools.length, ms: performance.now() - startedAt };
  } catch (error) {
    options.signal.throwIfAborted();
    // Its last words may come after the end of its output.
    await end(child, closed);
    const reason = deadline.signal.aborted ? `no answer within ${options.timeoutMs / 1000} s` : messageOf(error);
    const last = complaint.trim().split('\n').slice(-3).join(' ');
    return { isOk: false, reason: last === '' ? reason : `${reason}: ${last}` };
  } finally {
    clearTimeout(timer);
    await end(child, closed);
  }
}

function parseLine(line: string): z.infer<typeof responseSchema> | undefined {
  if (line.length > longestLine) throw new Error('it sent a line that is too long');
  try {
    return responseSchema.safeParse(JSON.parse(line)).data;
  } catch {
    throw new Error(`it writes something other than messages to standard output: ${line.slice(0, 80)}`);
  }
}

async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Closed input is the word for a server to end; signals follow for one that does not listen. */
async function end(child: ReturnType<typeof spawn>, closed: Promise<unknown>): Promise<void> {
  child.stdin?.end();
  child.stdout?.resume();
  for (const name of ['SIGTERM', 'SIGKILL'] as const) {
    const waited = new AbortController();
    const first = await Promise.race([
      closed.then(() => 'closed'),
      sleep(graceMs, 'late', { signal: waited.signal }).catch(() => 'closed'),
    ]);
    waited.abort();
    if (first === 'closed') return;
    child.kill(name);
  }
  await closed;
}
