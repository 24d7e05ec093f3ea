// The demonstration: the main job once, with the time of each step.

import type { DemoStep } from '../../contract/machine.ts';
import { openStore, resolveEnvironment } from '../../environment/store.ts';
import type { OpenMachine } from '../../machine/machine.ts';
import { openQemuMachine } from '../../machine/qemu-machine.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { formatBytes } from '../../shared/units.ts';
import type { Paths } from '../../system/paths.ts';
import { ensureEnvironment } from '../guests/ensure-environment.ts';
import { guestEnvironment, startThrowAway } from '../guests/throw-away.ts';

const size = { vcpuCount: 1, memoryMib: 1024 };

export async function runDemo(
  paths: Paths,
  name: string,
  context: CallContext,
  openMachine: OpenMachine = openQemuMachine,
): Promise<{ accelerator: string; reason: string; steps: DemoStep[] }> {
  const steps: DemoStep[] = [];
  const timed = async <T>(step: string, note: (result: T) => string, work: () => Promise<T>): Promise<T> => {
    context.onProgress({ phase: step, message: step });
    const started = performance.now();
    const result = await work();
    steps.push({ step, ms: Math.round(performance.now() - started), note: note(result) });
    return result;
  };
  const machine = await openMachine(paths, context);
  const wasCached = (await resolveEnvironment(openStore(paths.cache), name).catch(() => undefined)) !== undefined;
  const environment = await timed(
    'pull or build',
    ({ record }) =>
      `${name}: ${wasCached ? 'cached' : `from ${record.source === 'packages' ? 'Debian packages' : 'a registry'}`}, ${formatBytes(record.image_bytes)}`,
    () => ensureEnvironment(paths, name, context),
  );
  {
    await using _cold = await timed(
      'first boot',
      () => 'without a template',
      () => startThrowAway(machine, paths, { environment, size, isCold: true }, context),
    );
  }
  await timed(
    'template',
    ({ buildMs }) => (buildMs === 0 ? 'was there' : 'booted, mounted, warmed, saved'),
    () => machine.ensureTemplate(guestEnvironment(environment), size, context),
  );
  const started = await timed(
    'restore',
    ({ id }) => `guest ${id}`,
    () => startThrowAway(machine, paths, { environment, size }, context),
  );
  try {
    const argv = ['/bin/sh', '-c', 'git --version && uname -sr'];
    await timed(
      'exec',
      (output) => output,
      async () => {
        let output = '';
        const process = await started.guest.client.start(
          { argv, env: {}, stdin: false, overflow: 'block', timeout_ms: 30_000 },
          { signal: context.signal },
        );
        await process.follow((_stream, bytes) => {
          output += bytes.toString('utf8');
        });
        return output.trim().split('\n').join(' on ');
      },
    );
  } finally {
    await timed(
      'delete',
      () => 'nothing left',
      async () => await started[Symbol.asyncDispose](),
    );
  }
  return { accelerator: machine.choice.accelerator, reason: machine.choice.reason, steps };
}
