// Makes an environment warm: pulled, its templates built, and one guest started, used and started anew.
import type { GuestClient } from '../../agent/guest-client.ts';
import type { PrepareOutput } from '../../contract/machine.ts';
import type { OpenMachine } from '../../machine/machine.ts';
import { openQemuMachine } from '../../machine/qemu-machine.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { isPyroError, PyroError } from '../../shared/errors.ts';
import { assertRoom } from '../../system/disk-room.ts';
import type { Paths } from '../../system/paths.ts';
import { ensureEnvironment } from '../guests/ensure-environment.ts';
import { guestEnvironment, startThrowAway } from '../guests/throw-away.ts';

const size = { vcpuCount: 1, memoryMib: 1024 };

/** Throws `guest_refused` when the guest comes up and cannot run a command. */
export async function prepare(
  paths: Paths,
  name: string,
  isForced: boolean,
  context: CallContext,
  openMachine: OpenMachine = openQemuMachine,
): Promise<PrepareOutput> {
  const started = performance.now();
  const machine = await openMachine(paths, context);
  const environment = await ensureEnvironment(paths, name, context);
  await assertRoom(paths, 'a template', context.signal);
  const source = guestEnvironment(environment);
  if (isForced) await machine.dropTemplates(source, size, context);
  const ready = await machine.ensureTemplate(source, size, context, 'ready');
  const bare = await machine.ensureTemplate(source, size, context, 'bare');
  const starts: number[] = [];
  // Once to prove that it boots and takes commands, once more as a reset does it.
  for (const step of ['proving boot and exec', 'proving reset']) {
    context.onProgress({ phase: 'prove', message: step });
    await using started = await startThrowAway(machine, paths, { environment, size }, context);
    await runTrue(started.guest.client, context.signal);
    starts.push(Math.round(started.bootMs));
    if (started.bootSource !== 'template') {
      throw new PyroError('template_invalid', `${name}: the template does not come up`, {
        hint: 'run pyro doctor; pyro prepare --force builds the template again',
      });
    }
  }
  return {
    environment: name,
    digest: environment.digest,
    accelerator: machine.choice.accelerator,
    built: ready.buildMs + bare.buildMs > 0,
    template_ms: Math.round(ready.buildMs + bare.buildMs),
    start_ms: starts[0] ?? 0,
    reset_ms: starts[1] ?? 0,
    total_ms: Math.round(performance.now() - started),
  };
}

/** An image without a `true` proves by its refusal that it takes commands. */
async function runTrue(client: GuestClient, signal: AbortSignal): Promise<void> {
  const request = { argv: ['true'], env: {}, stdin: false, overflow: 'drop', timeout_ms: 20_000 } as const;
  try {
    const process = await client.start({ ...request, argv: [...request.argv] }, { signal });
    await process.follow(() => undefined);
  } catch (error) {
    if (!isPyroError(error, 'command_not_found', 'command_not_executable')) throw error;
  }
}
