// A process that takes a lock again and again, and says so when somebody else has it at the same time.
import { appendFileSync, closeSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { acquireLock } from '../../src/system/lock.ts';

const [path = '', rounds = '0', ending = ''] = process.argv.slice(2);
/** What a process that is gone leaves behind; no process has this number */
const leftBehind = JSON.stringify({ pid: 0x7fffffff, start_ticks: 0 });

for (let round = 1; round <= Number(rounds); round++) {
  const lock = await acquireLock(path, { waitMs: 60_000 });
  // Only an owner that is alone finds its place free.
  closeSync(openSync(`${path}.owner`, 'wx'));
  await sleep(Math.random() * 3);
  rmSync(`${path}.owner`);
  appendFileSync(`${path}.count`, '.');
  if (ending === 'killed' && round === Number(rounds)) process.kill(process.pid, 'SIGKILL');
  await lock[Symbol.asyncDispose]();
  try {
    writeFileSync(path, leftBehind, { flag: 'wx' });
  } catch {
    // Somebody has it already.
  }
}
