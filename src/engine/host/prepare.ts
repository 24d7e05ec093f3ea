// Makes an environment warm: pulled, its templates built, and one guest started, used and started anew.

import { rm } from 'node:fs/promises';
import type { GuestClient } from '../../agent/guest-client.ts';
import type { PrepareOutput } from '../../contract/machine.ts';
import type { Environment } from '../../environment/store.ts';
import { templateFolder, templateKey } from '../../machine/template.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { isPyroError, PyroError } from '../../shared/errors.ts';
import { acquireLock } from '../../system/lock.ts';
import type { Paths } from '../../system/paths.ts';
import { ensureEnvironment } from '../guests/ensure-environment.ts';
import {
  ensureTemplate,
  type MachineRoom,
  openMachineRoom,
  templateLock,
  templateSource,
} from '../guests/machine-room.ts';
import { startThrowAway } from '../guests/throw-away.ts';

/** Longest wait for another process that makes the same template, `ms` */
const lockMs = 600_000;
const size = { vcpuCount: 1, memoryMib: 1024 };

/** Throws `guest_refused` when the guest comes up and cannot run a command. */
export async function prepare(
  paths: Paths,
  name: string,
  isForced: boolean,
  context: CallContext,
): Promise<PrepareOutput> {
  const started = performance.now();
  const room = await openMachineRoom(paths, context);
  const environment = await ensureEnvironment(paths, name, context);
  if (isForced) await dropTemplates(room, environment, context);
  const source = templateSource(environment);
  const ready = await ensureTemplate(room, source, size, context, 'ready');
  const bare = await ensureTemplate(room, source, size, context, 'bare');
  const starts: number[] = [];
  // Once to prove that it boots and takes commands, once more as a reset does it.
  for (const step of ['proving boot and exec', 'proving reset']) {
    context.onProgress({ phase: 'prove', message: step });
    await using machine = await startThrowAway(room, paths, environment, size, false, context);
    await runTrue(machine.guest.client, context.signal);
    starts.push(Math.round(machine.bootMs));
    if (machine.bootSource !== 'template') {
      throw new PyroError('template_invalid', `${name}: the template does not come up`, {
        hint: 'run pyro doctor; pyro prepare --force builds the template again',
      });
    }
  }
  return {
    environment: name,
    digest: environment.digest,
    accelerator: room.host.choice.accelerator,
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

async function dropTemplates(
  room: MachineRoom,
  { digest, imagePath }: Environment,
  { signal }: CallContext,
): Promise<void> {
  for (const kind of ['ready', 'bare'] as const) {
    const wanted = { kind, size, environmentDigest: digest, rootImage: imagePath };
    const key = templateKey(room.host, wanted, room.cpuModel);
    await using _lock = await acquireLock(templateLock(room.cacheFolder, key), { signal, waitMs: lockMs });
    await rm(templateFolder(room.cacheFolder, key), { recursive: true, force: true });
  }
}
