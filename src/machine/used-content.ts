// What a guest in QEMU was started from, as files whose digests are known.
import type { GuestKit } from './kit.ts';
import type { UsedContent } from './machine.ts';
import type { SavedGuest } from './template.ts';
import { dropTemplate, type QemuSetup } from './templates.ts';

export function savedContent(setup: Pick<QemuSetup, 'cacheFolder'>, saved: SavedGuest): UsedContent {
  return {
    label: `template ${saved.key}`,
    files: async () => saved.kept,
    drop: async () => await dropTemplate(setup, saved),
  };
}

export const kitLabel = 'the guest kit';

/** The kit came with pyro: who installed it installs it again. */
export function kitContent({ kept }: GuestKit): UsedContent {
  return { label: kitLabel, files: async () => kept };
}
