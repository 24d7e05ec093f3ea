// Runs a check of a checkout in a disposable machine, shows its output while it comes, and prints what it has changed.
//
//     node examples/sdk.ts [COMMAND]    in a checkout; needs Node 24 and the package pyro-mcp
import { isPyroError, Pyro } from 'pyro-mcp';

const command = process.argv[2] ?? 'make test';
const interrupted = new AbortController();
process.once('SIGINT', () => interrupted.abort());

const pyro = new Pyro({ signal: interrupted.signal, onProgress: ({ message }) => console.error(message) });
try {
  // Deleted at the end of this block, whatever happens in it.
  await using workspace = await pyro.workspaces.create({ seed_path: '.', name: 'sdk example' });
  for await (const event of workspace.execStream({ command, timeout_seconds: 1800 })) {
    if (event.type === 'exit') process.exitCode = event.exit_code;
    else process[event.type].write(event.text);
  }
  const { patch } = await workspace.diff();
  process.stdout.write(patch);
} catch (error) {
  if (!isPyroError(error)) throw error;
  console.error(`${error.code}: ${error.message}\n${error.hint ?? ''}`);
  process.exitCode = 1;
}
