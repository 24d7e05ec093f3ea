// A guest that runs already: its smallest command, bulk in and out, and its memory, alone and as one of several.
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureEnvironment } from '../src/engine/guests/ensure-environment.ts';
import { startThrowAway, type ThrowAway } from '../src/engine/guests/throw-away.ts';
import { inspectQemu } from '../src/machine/host-facts.ts';
import { openQemuMachine } from '../src/machine/qemu-machine.ts';
import { noProgress } from '../src/shared/progress.ts';
import { mebibyte } from '../src/shared/units.ts';
import { locatePaths } from '../src/system/paths.ts';
import { measure } from './clock.ts';
import { median } from './facts.ts';

const bulkBytes = 64 * mebibyte;
const guestCount = 4;
/** Time in which a guest that has done its work comes to rest, `ms` */
const restMs = 3000;

/** Runs a command to its end, with this much standard input; gives the bytes that came out. */
async function run({ guest }: ThrowAway, argv: string[], inputBytes = 0): Promise<number> {
  const env = { PATH: '/usr/bin:/bin' };
  const process = await guest.client.start({ argv, env, stdin: inputBytes > 0, overflow: 'block' });
  const feeding = inputBytes > 0 ? process.feed(zeros(inputBytes)) : undefined;
  let size = 0;
  const { exit_code: exitCode } = await process.follow((_stream, bytes) => {
    size += bytes.length;
  });
  await feeding;
  if (exitCode !== 0) throw new Error(`${argv.join(' ')} ended with ${exitCode}`);
  return size;
}

function zeros(bytes: number): Readable {
  const piece = Buffer.alloc(mebibyte);
  return Readable.from(Array.from({ length: bytes / mebibyte }, () => piece));
}

/** `Pss`, and the part that is private and anonymous, of one QEMU, `MiB` */
function memoryOf({ pid }: ThrowAway): { pss: number; own: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const field = (name: string): number =>
    Math.round(Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1]) / 1024);
  return { pss: field('Pss'), own: field('Pss_Anon') };
}

export async function measureRunningGuest(rounds: number) {
  const paths = locatePaths();
  const context = { signal: new AbortController().signal, onProgress: noProgress };
  const machine = await openQemuMachine(paths, context);
  const environment = await ensureEnvironment(paths, 'debian:12', context);
  await using guests = new AsyncDisposableStack();
  const start = async (): Promise<ThrowAway> => {
    const size = { vcpuCount: 1, memoryMib: 1024 };
    const started = guests.use(await startThrowAway(machine, paths, { environment, size }, context));
    await run(started, ['true']);
    return started;
  };
  const all = [await start()];
  await sleep(restMs);
  const alone = all.map(memoryOf)[0];
  while (all.length < guestCount) all.push(await start());
  await sleep(restMs);
  const together = all.map(memoryOf);
  // After the memory, which bulk data would have filled with the guest's page cache.
  const [first] = all;
  if (first === undefined) throw new Error('no guest was started');
  const few = Math.ceil(rounds / 2);
  const sent = await measure(few, async () => void (await run(first, ['sh', '-c', 'cat >/dev/null'], bulkBytes)));
  const received = await measure(few, async () => {
    const size = await run(first, ['head', '-c', `${bulkBytes}`, '/dev/zero']);
    if (size !== bulkBytes) throw new Error(`${size} of ${bulkBytes} bytes came`);
  });
  return {
    accelerator: machine.choice.accelerator,
    qemu: (await inspectQemu(paths.cache)).version,
    times: {
      true_in_running_guest_ms: Number(
        (await measure(rounds, async () => void (await run(first, ['true'])))).toFixed(1),
      ),
      send_64_mib_running_ms: Math.round(sent),
      receive_64_mib_running_ms: Math.round(received),
    },
    memory: {
      idle_pss_mib: alone?.pss,
      idle_own_mib: alone?.own,
      guests_together: guestCount,
      idle_pss_together_mib: median(together.map(({ pss }) => pss)),
      idle_own_together_mib: median(together.map(({ own }) => own)),
    },
  };
}
