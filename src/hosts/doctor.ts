// What stands between each host and the server, with the command that fixes it.

import type { HostCheck, HostReport } from '../contract/machine.ts';
import type { CallContext } from '../shared/call-context.ts';
import type { HostName } from '../shared/host-types.ts';
import type { HostAdapter } from './adapter.ts';
import { adapterOf } from './adapter-of.ts';
import { checkEntry } from './doctor-entry.ts';
import { editorFor } from './editors.ts';
import { entriesIn, type FoundFile, findFiles, mendedMode } from './find-entries.ts';
import { findHost } from './host-program.ts';

export async function examineHosts(
  names: readonly HostName[],
  folder: string,
  context: CallContext,
): Promise<HostReport[]> {
  const reports: HostReport[] = [];
  for (const name of names) {
    const adapter = await adapterOf(name);
    context.onProgress({ phase: 'host', message: `looking at ${adapter.title}` });
    reports.push(await examine(adapter, folder, context));
  }
  return reports;
}

async function examine(adapter: HostAdapter, folder: string, context: CallContext): Promise<HostReport> {
  const host = await findHost(adapter, context.signal);
  const files = await findFiles(adapter, folder);
  const [winner, ...shadowed] = entriesIn(adapter, files);
  const checks: HostCheck[] = [
    installedCheck(adapter, host),
    ...files.filter(isFirstOfPath).flatMap((file) => fileChecks(adapter, file)),
  ];
  if (winner === undefined) {
    if (!files.some(({ fault, trouble }) => fault !== undefined || trouble !== undefined)) {
      checks.push({ name: 'configured', status: 'warn', message: 'no entry for pyro', fix: adapter.connectCommand });
    }
  } else {
    const { path, scope } = winner.place;
    checks.push({ name: 'configured', status: 'ok', message: `${path} (scope ${scope})`, fix: null });
    for (const { place } of shadowed) {
      checks.push({
        name: 'duplicate',
        status: 'warn',
        message: `scope ${place.scope} has an entry too (${place.path}); the one in scope ${scope} wins`,
        fix: `pyro host repair ${adapter.name} --scope ${adapter.defaultScope}`,
      });
    }
    if (isSwitchedOff(adapter, files, folder)) {
      checks.push({
        name: 'enabled',
        status: 'warn',
        message: 'switched off for this project',
        fix: `${adapter.program}, then /mcp`,
      });
    }
    checks.push(...(await checkEntry(adapter, winner, folder, context)));
  }
  return {
    host: adapter.name,
    installed: host !== undefined,
    version: host?.version ?? null,
    configured: winner !== undefined,
    config_file: winner?.place.path ?? null,
    scope: winner?.place.scope ?? null,
    checks,
  };
}

function installedCheck(adapter: HostAdapter, host: Awaited<ReturnType<typeof findHost>>): HostCheck {
  const name = 'installed';
  if (host === undefined) {
    return { name, status: 'warn', message: `${adapter.program} is not on PATH`, fix: adapter.installCommand };
  }
  if (host.version === undefined) {
    return { name, status: 'warn', message: `${host.path} does not report its version`, fix: `${host.path} --version` };
  }
  return { name, status: 'ok', message: `${adapter.title} ${host.version} (${host.path})`, fix: null };
}

/** Scopes may share a file. */
function isFirstOfPath({ place }: FoundFile, index: number, all: readonly FoundFile[]): boolean {
  return all.findIndex((other) => other.place.path === place.path) === index;
}

function fileChecks(adapter: HostAdapter, { place, file, trouble, fault }: FoundFile): HostCheck[] {
  const repair = `pyro host repair ${adapter.name}`;
  if (trouble !== undefined) return [{ name: 'permission', status: 'fail', message: trouble, fix: repair }];
  if (file === undefined || !file.exists) return [];
  const checks: HostCheck[] = [];
  if (mendedMode(file.mode) !== file.mode) {
    const mode = (file.mode & 0o777).toString(8).padStart(3, '0');
    const message = (file.mode & 0o002) !== 0 ? 'everyone may write to it' : 'its owner may not read and write it';
    checks.push({
      name: 'permission',
      status: 'fail',
      message: `${place.path} has mode ${mode}: ${message}`,
      fix: repair,
    });
  }
  if (fault !== undefined) {
    const { line, column, message } = fault;
    checks.push({
      name: 'syntax',
      status: 'fail',
      message: `${place.path}, line ${line}, column ${column}: ${message}`,
      fix: `${repair} --force`,
    });
  }
  return checks;
}

function isSwitchedOff(adapter: HostAdapter, files: readonly FoundFile[], folder: string): boolean {
  return files.some(({ place, file, fault }) => {
    if (file === undefined || fault !== undefined) return false;
    return adapter.isSwitchedOff?.(editorFor(place.format).valueAt(file.text, []), folder) === true;
  });
}
