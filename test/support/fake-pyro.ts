// An executable as pyro is one, with the fake operations: `daemon serve`, `mcp serve`, `call OPERATION JSON`, `status`, `stop`.
import { parseArgs } from 'node:util';
import { installInterrupts } from '../../src/cli/interrupts.ts';
import { createLiveIo } from '../../src/cli/live-io.ts';
import { executeServer, type Servers } from '../../src/cli/servers.ts';
import { openStandardStreams } from '../../src/cli/standard-streams.ts';
import { callBody } from '../../src/daemon/client.ts';
import { createControl } from '../../src/daemon/control.ts';
import { callDaemonLive } from '../../src/daemon/live-client.ts';
import type { DaemonProgram } from '../../src/daemon/program.ts';
import { callDaemon } from '../../src/daemon/remote.ts';
import type { DaemonEngine } from '../../src/engine/daemon-engine.ts';
import { reportError } from '../../src/shared/errors.ts';
import { locatePaths } from '../../src/system/paths.ts';
import { fakeOperations } from './fake-operations.ts';

const version = process.env['FAKE_VERSION'] ?? '1.0.0';
const guardMs = Number(process.env['FAKE_GUARD_MS'] ?? 45_000);
const program: DaemonProgram = {
  command: [process.execPath, new URL(import.meta.url).pathname, 'daemon', 'serve'],
  version,
  paths: locatePaths(),
};

async function createEngine(): Promise<DaemonEngine> {
  if (process.env['FAKE_BROKEN_ENGINE'] === '1') throw new Error('the engine does not open today');
  const { createLocalEngine } = await import('../../src/engine/local-engine.ts');
  const idle = { runningGuests: 0, busyCalls: 0, memoryBytes: 0, guests: [] };
  return { ...createLocalEngine(), activity: () => idle, [Symbol.asyncDispose]: async () => undefined };
}

const servers: Servers = {
  mcp: async (options, signal) => {
    const { serveMcp } = await import('../../src/mcp/serve.ts');
    return await serveMcp(options, version, signal, {
      operations: fakeOperations,
      guardMs,
      invoke: async (operation, input, context) =>
        operation.receive(
          await callDaemon(
            program,
            JSON.stringify(callBody(program, operation.definition.name, input, context)),
            context,
          ),
        ),
    });
  },
  daemon: async ({ readyFd }, signal) => {
    const { runDaemonProcess } = await import('../../src/daemon/serve.ts');
    return await runDaemonProcess({ operations: fakeOperations, createEngine, version, signal, readyFd });
  },
};

async function call(name: string, input: string): Promise<unknown> {
  const signal = new AbortController();
  process.on('SIGINT', () => signal.abort(new Error('interrupted')));
  const context = {
    signal: signal.signal,
    onProgress: ({ message }: { message: string }) => void process.stderr.write(`${message}\n`),
    hostPaths: 'any' as const,
    project: undefined,
    network: undefined,
  };
  return await callDaemon(program, JSON.stringify(callBody(program, name, JSON.parse(input), context)), context);
}

/** `live OPERATION JSON`: the streams of this process as those of the call; signals as at the command line. */
async function live(name: string, input: string): Promise<number> {
  const streams = openStandardStreams();
  const interrupts = installInterrupts();
  const wish = { wantsTerminal: false, wantsInput: false, takesTerminal: false, isCaptured: false, isRaw: false };
  using opened = createLiveIo(interrupts, wish, () => undefined);
  const { io } = opened;
  let exitCode = 0;
  try {
    const context = {
      signal: interrupts.signal,
      onProgress: () => undefined,
      hostPaths: 'any' as const,
      project: undefined,
      network: undefined,
    };
    const call = { body: callBody(program, name, JSON.parse(input), context), io, follows: false };
    process.stderr.write(`${JSON.stringify(await callDaemonLive(program, call, context))}\n`);
  } catch (error) {
    process.stderr.write(`${JSON.stringify({ error: reportError(error), left: interrupts.leftRunning() ?? null })}\n`);
    exitCode = 1;
  }
  return await streams.finish(exitCode);
}

async function main(argv: readonly string[]): Promise<number> {
  const [first, second = '', third = '{}'] = argv;
  if (first === 'mcp' || first === 'daemon') return await executeServer(argv, servers);
  if (first === 'live') return await live(second, third);
  try {
    const control = createControl(program);
    const result =
      first === 'call'
        ? await call(second, third)
        : first === 'status'
          ? ((await control.status(new AbortController().signal)) ?? null)
          : await control.stop(
              {
                force:
                  parseArgs({ args: [...argv.slice(1)], options: { force: { type: 'boolean' } } }).values.force ===
                  true,
              },
              new AbortController().signal,
            );
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return 0;
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ error: reportError(error) })}\n`);
    return 1;
  }
}

process.exitCode = await main(process.argv.slice(2));
process.exit();
