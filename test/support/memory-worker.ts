// A process that asks for memory for a guest when it is told to, says what it got, and holds it until its input ends.
import { createInterface } from 'node:readline';
import { MemoryLedger } from '../../src/engine/guests/memory-ledger.ts';
import { GuestMemory, passing } from '../../src/engine/guests/memory-limit.ts';
import { reportError } from '../../src/shared/errors.ts';

const [folder = '', totalMib = '0', memMib = '0', id = ''] = process.argv.slice(2);
const memory = new GuestMemory(Number(totalMib), new MemoryLedger(folder));
const wanted = passing(Number(memMib));

process.stdout.write('ready\n');
for await (const _line of createInterface({ input: process.stdin })) {
  try {
    memory.reserve(id === '' ? wanted : { ...wanted, id });
    process.stdout.write('got it\n');
  } catch (error) {
    process.stdout.write(`${JSON.stringify(reportError(error))}\n`);
  }
}
