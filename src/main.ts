#!/usr/bin/env node
// The executable. Asking for the version loads nothing else, since that is what a host does at every start.
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Servers } from './cli/servers.ts';
import { openStandardStreams } from './cli/standard-streams.ts';
import { makeFolder } from './system/folders.ts';
import { locatePaths, type Paths } from './system/paths.ts';
import { version } from './version.ts';

const argv = process.argv.slice(2);
const streams = openStandardStreams();
if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
  streams.print(`${version}\n`);
  process.exitCode = await streams.finish(0);
} else {
  await keepCompiled();
  process.exitCode = await streams.finish(await run());
  // An open standard input would keep the process alive after its work is done.
  process.exit();
}

async function run(): Promise<number> {
  const servers: Servers = {
    mcp: async (options, signal) => {
      const { serveMcp } = await import('./mcp/serve.ts');
      return await serveMcp(options, version, signal);
    },
    daemon: async ({ readyFd }, signal) => {
      const [{ runDaemonProcess }, { createDaemonEngine }, { openJobProcesses }, { operations }] = await Promise.all([
        import('./daemon/serve.ts'),
        import('./engine/daemon-engine.ts'),
        import('./engine/jobs/job-processes.ts'),
        import('./operations/index.ts'),
      ]);
      const createEngine = (paths: Paths) =>
        createDaemonEngine(paths, undefined, undefined, openJobProcesses(fileURLToPath(import.meta.url)));
      return await runDaemonProcess({ operations, createEngine, version, signal, readyFd });
    },
  };
  if (argv[0] === 'mcp' || (argv[0] === 'daemon' && argv[1] === 'serve')) {
    const { executeServer } = await import('./cli/servers.ts');
    return await executeServer(argv, servers);
  }
  if (argv[0] === '__job') {
    const [{ runJobProgram }, { jobs }] = await Promise.all([
      import('./engine/jobs/job-program.ts'),
      import('./engine/job-list.ts'),
    ]);
    return await runJobProgram(jobs);
  }
  if (argv[0] === '__complete') {
    const [{ knownNames, nameLines }, { writeText }] = await Promise.all([
      import('./engine/calls/known-names.ts'),
      import('./cli/terminal.ts'),
    ]);
    // In the middle of someone's typing there is no place for an error.
    const names = await knownNames(argv[1] ?? '', argv.slice(2), process.cwd()).catch(() => []);
    await writeText(nameLines(names));
    return 0;
  }
  const { execute } = await import('./cli/execute.ts');
  return await execute(argv, version, servers);
}

/** Saves a sixth of each later start. Made here, since Node's own way to make the folder never ends on some file systems. */
async function keepCompiled(): Promise<void> {
  const folder = join(locatePaths().cache, 'compiled');
  try {
    await makeFolder(folder);
    enableCompileCache(folder);
  } catch {
    // A cache that cannot be written costs time; what the command needs it says itself.
  }
}
