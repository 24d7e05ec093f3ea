// A real guest for network tests: started as `pyro run` does, with our egress on its network port when asked for.
import { join } from 'node:path';
import { z } from 'zod';
import type { GuestClient } from '../../src/agent/guest-client.ts';
import { enableGuestNetwork } from '../../src/agent/guest-network.ts';
import type { NetworkGrant } from '../../src/contract/records.ts';
import { ensureEnvironment } from '../../src/engine/guests/ensure-environment.ts';
import { startThrowAway } from '../../src/engine/guests/throw-away.ts';
import { openQemuMachine } from '../../src/machine/qemu-machine.ts';
import { ConnectionLog } from '../../src/network/connection-log.ts';
import { Egress } from '../../src/network/egress.ts';
import { guestVariables } from '../../src/network/guest-variables.ts';
import { locatePaths } from '../../src/system/paths.ts';

export interface CommandEnd {
  readonly exitCode: number;
  readonly text: string;
  readonly ms: number;
}

export interface NetworkGuest extends AsyncDisposable {
  readonly client: GuestClient;
  readonly accelerator: string;
  readonly logPath: string;
  /** Runs a shell line; proxy variables only when asked for. Output of both streams together. */
  run(line: string, options?: { readonly hasProxy?: boolean; readonly timeoutMs?: number }): Promise<CommandEnd>;
  /** Opens the way out with this grant, in place of the one before. */
  grant(grant: NetworkGrant): Promise<Egress>;
  revoke(): Promise<void>;
}

export async function openNetworkGuest(): Promise<NetworkGuest> {
  await using undo = new AsyncDisposableStack();
  const paths = locatePaths();
  const context = { signal: new AbortController().signal, onProgress: () => undefined };
  const environment = await ensureEnvironment(paths, 'debian:12', context);
  const machine = await openQemuMachine(paths, context);
  const size = { vcpuCount: 1, memoryMib: 512 };
  const started = undo.use(await startThrowAway(machine, paths, { environment, size }, context));
  const { client, networkSocket: socketPath } = started.guest;
  const logPath = join(paths.state, 'runs', started.id, 'network.jsonl');
  const log = await ConnectionLog.open(logPath);
  let egress: Egress | undefined;
  undo.defer(() => egress?.[Symbol.asyncDispose]());
  const revoke = async (): Promise<void> => {
    await egress?.[Symbol.asyncDispose]();
    await client.call('POST', '/v1/network', { enabled: false }, z.object({ proxy: z.literal('') }));
  };
  const parts = undo.move();
  return {
    client,
    accelerator: machine.choice.accelerator,
    logPath,
    revoke,
    grant: async (grant) => {
      await egress?.[Symbol.asyncDispose]();
      const { magic } = await enableGuestNetwork(client);
      egress = await Egress.open({ socketPath, magic, grant, log });
      return egress;
    },
    run: async (line, { hasProxy = false, timeoutMs = 60_000 } = {}) => {
      const started = performance.now();
      const process = await client.start({
        argv: ['bash', '-c', `exec 2>&1; ${line}`],
        env: hasProxy ? { ...guestVariables } : {},
        stdin: false,
        overflow: 'block',
        timeout_ms: timeoutMs,
      });
      const chunks: Buffer[] = [];
      const exit = await process.follow((_stream, bytes) => {
        chunks.push(Buffer.from(bytes));
      });
      const text = Buffer.concat(chunks).toString('utf8');
      return { exitCode: exit.exit_code, text, ms: performance.now() - started };
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}
