// An executable that prints what a hostile guest gave, in each of the ways of the command line.
import { stripVTControlCharacters } from 'node:util';
import { printCommand, printError } from '../../src/cli/print.ts';
import { createProgressPrinter } from '../../src/cli/progress-printer.ts';
import { openStandardStreams } from '../../src/cli/standard-streams.ts';
import { liveOutput, ownOutput, writeNote } from '../../src/cli/terminal.ts';
import { PyroError } from '../../src/shared/errors.ts';
import { writeTo } from '../../src/shared/write-to.ts';

export const hostile = 'a\u001b]0;PWNED\u0007\u001b[31mred\u001b[0m\u001b]52;c;eA==\u0007b\n';

const [kind = ''] = process.argv.slice(2);
const isRaw = kind.startsWith('raw-');

async function print(): Promise<void> {
  switch (kind.replace('raw-', '')) {
    case 'result':
      return await printCommand({ stdout: hostile, stderr: hostile }, isRaw);
    case 'content':
      return await printCommand({ stdout: Buffer.from(hostile) }, isRaw);
    case 'note':
      return writeNote(hostile);
    case 'error':
      return await printError(new PyroError('usage', hostile, { hint: hostile }), false);
    case 'progress': {
      const { onProgress, end } = createProgressPrinter(false);
      onProgress({ phase: hostile, message: hostile });
      return end();
    }
    case 'live':
    case 'screen': {
      const live = liveOutput('stdout', kind.endsWith('screen') ? 'screen' : 'lines', isRaw);
      for (const byte of Buffer.from(hostile)) await writeTo(live.stream, Buffer.from([byte]));
      return live.end();
    }
    default:
      ownOutput('stdout').write(stripVTControlCharacters(hostile));
  }
}

if (process.argv[1]?.endsWith('print-hostile.ts') === true) {
  const streams = openStandardStreams();
  await print();
  process.exitCode = await streams.finish(0);
}
