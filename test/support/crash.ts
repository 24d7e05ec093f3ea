// The sudden end of a guest's QEMU, and the engine's knowing of it.
import type { TestEngine } from './engine.ts';
import { killNow } from './kill.ts';
import { until } from './until.ts';

/** Kills the QEMU, and waits until the engine no longer counts its guest. */
export async function crashGuest(engine: TestEngine, victim: number | undefined): Promise<void> {
  killNow(victim);
  await until(() =>
    engine
      .engine()
      .activity()
      .guests.every(({ pid }) => pid !== victim),
  );
}
