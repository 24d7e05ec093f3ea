// How many guests the machine's memory carries.
import { totalmem } from 'node:os';
import { PyroError } from '../../shared/errors.ts';
import { mebibyte } from '../../shared/units.ts';

/** Left to the host, `MiB` */
const reserveMib = 1024;

export interface MemoryHolder {
  readonly id: string;
  readonly memMib: number;
  readonly idleSeconds: number;
}

/** Throws `memory_exhausted`, with what could be stopped, when another guest of this size does not fit. */
export function reserveMemory(wantedMib: number, holders: readonly MemoryHolder[], totalMib = defaultTotal()): void {
  const heldMib = holders.reduce((sum, { memMib }) => sum + memMib, 0);
  const limitMib = totalMib - reserveMib;
  if (heldMib + wantedMib <= limitMib) return;
  const idlest = [...holders].sort((a, b) => b.idleSeconds - a.idleSeconds).slice(0, 3);
  throw new PyroError(
    'memory_exhausted',
    `a guest of ${wantedMib} MiB does not fit: ${holders.length} guests hold ${heldMib} of ${limitMib} MiB`,
    {
      hint:
        idlest.length === 0
          ? 'ask for less memory: mem_mib'
          : `stop or delete an idle one: ${idlest.map(({ id, idleSeconds }) => `${id} (idle ${Math.round(idleSeconds)} s)`).join(', ')}`,
      details: { held_mib: heldMib, limit_mib: limitMib, wanted_mib: wantedMib, idle: idlest.map(({ id }) => id) },
    },
  );
}

function defaultTotal(): number {
  return Math.floor(totalmem() / mebibyte);
}
