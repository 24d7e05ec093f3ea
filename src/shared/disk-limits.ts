// How much room the disks of this machine should have.
import { gibibyte, mebibyte } from './units.ts';

/** What new work needs at least, `bytes`: with less, guests that run already would soon be paused by it */
export const leastRoom = 256 * mebibyte;
/** Below this one is warned, `bytes`: an environment with its templates takes as much */
export const scarceRoom = 2 * gibibyte;
