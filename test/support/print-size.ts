// An executable that prints so many bytes in one of the ways of the command line, for tests of what arrives.
import { printCommand, printError, printJson } from '../../src/cli/print.ts';
import { openStandardStreams } from '../../src/cli/standard-streams.ts';
import { writeContent } from '../../src/cli/terminal.ts';
import { isPyroError, PyroError } from '../../src/shared/errors.ts';

const [kind = '', size = '0'] = process.argv.slice(2);
const bytes = Number(size);

/** No two places look alike, and each line has characters of one to four bytes. */
function textOf(length: number): string {
  const lines: string[] = [];
  for (let at = 0; at < length; at += 32) lines.push(`${String(at).padStart(12, '0')} aé名😀 some words\n`);
  return lines.join('');
}

async function print(): Promise<void> {
  if (kind === 'text') await printCommand({ stdout: textOf(bytes) }, false);
  else if (kind === 'json') await printJson({ text: textOf(bytes) });
  else if (kind === 'unawaited') process.stdout.write(textOf(bytes));
  else if (kind === 'error') await printError(new PyroError('usage', textOf(bytes)), false);
  else
    for (let left = bytes; left > 0; left -= 65_536)
      await writeContent(Buffer.alloc(Math.min(left, 65_536), 0x61), false);
}

const streams = openStandardStreams();
let exitCode = 3;
try {
  await print();
} catch (error) {
  exitCode = isPyroError(error, 'output_closed') ? 141 : 1;
}
process.exitCode = await streams.finish(exitCode);
process.exit();
