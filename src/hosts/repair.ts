// Makes the entries of a host canonical again; what else stands in its files stays, and a text that does not parse is fixed on demand.
import { chmod, stat } from 'node:fs/promises';
import type { ConnectResult, HostChange, HostRepairInput } from '../contract/machine.ts';
import type { CallContext } from '../shared/call-context.ts';
import { PyroError, systemCodeOf } from '../shared/errors.ts';
import { findProgram } from '../system/find-program.ts';
import { type ConfigPlace, type HostAdapter, serverName } from './adapter.ts';
import { adapterOf } from './adapter-of.ts';
import { carryOut, type Edit, type Plan, planEdit, requireSound } from './change.ts';
import { ask, placeIn, valueIn } from './connect.ts';
import type { ConfigEditor } from './document.ts';
import { editorFor } from './editors.ts';
import { mendedMode } from './find-entries.ts';
import { chooseLauncher } from './launcher.ts';
import { npxLauncher, readServerCommand, serverCommand } from './server-command.ts';

export async function repair(input: HostRepairInput, folder: string, context: CallContext): Promise<ConnectResult> {
  const adapter = await adapterOf(input.host);
  if (input.scope !== undefined) await placeIn(adapter, input.scope, folder);
  const installed = await chooseLauncher(false);
  const notes: string[] = [];
  const changes: HostChange[] = [];
  let kept: ConfigPlace | undefined;
  for (const places of placesByFile(await adapter.places(folder))) {
    const [first] = places;
    const modeNote = input.dry_run ? undefined : await mendMode(first.path);
    if (modeNote !== undefined) notes.push(modeNote);
    const isKept = ({ scope }: ConfigPlace): boolean => input.scope === undefined || scope === input.scope;
    const edits = places.map((place) =>
      isKept(place) ? canonical(adapter, place, installed, folder) : withoutEntry(place),
    );
    const planner = async (): Promise<Plan> =>
      await planEdit(adapter, first, (text, editor) => edits.reduce((next, edit) => edit(next, editor), text), {
        mayBeBroken: input.force,
      });
    const plan = await planner();
    requireSound(adapter, first, { ...plan.file, text: plan.after });
    const keptHere = places.find((place) => isKept(place) && valueIn(place, plan.after) !== undefined);
    kept ??= keptHere;
    const isChanged = plan.diff !== '';
    if (!isChanged && keptHere === undefined) continue;
    const wasBroken = editorFor(first.format).faultOf(plan.file.text) !== undefined;
    const place = keptHere ?? first;
    const backup = input.dry_run ? null : await carryOut(plan, planner);
    changes.push({
      host: adapter.name,
      scope: place.scope,
      config_file: place.path,
      server_command: [...(adapter.readEntry(valueIn(place, plan.after))?.command ?? [])],
      action: !isChanged ? 'unchanged' : wasBroken ? 'mended' : keptHere === undefined ? 'removed' : 'updated',
      written: isChanged && !input.dry_run,
      method: isChanged && !input.dry_run ? 'file' : 'none',
      diff: plan.diff,
      backup,
    });
  }
  if (kept === undefined && !changes.some(({ action }) => action === 'mended')) {
    throw new PyroError(
      'host_not_configured',
      `${adapter.title} has no entry for pyro${input.scope === undefined ? '' : ` in scope ${input.scope}`}`,
      {
        hint: `connect it with: ${adapter.connectCommand}`,
        details: { host: adapter.name },
      },
    );
  }
  if (kept === undefined) notes.push(`there is no entry for pyro; connect it with: ${adapter.connectCommand}`);
  const base = { host: adapter.name, dry_run: input.dry_run, changes };
  if (input.dry_run || kept === undefined) return { ...base, verification: null, notes };
  const answer = await ask(adapter, kept, findProgram(adapter.program), folder, context);
  return { ...base, verification: answer.verification, notes: [...notes, ...answer.notes] };
}

function canonical(
  adapter: HostAdapter,
  place: ConfigPlace,
  installed: readonly [string, ...string[]],
  folder: string,
): Edit {
  const path = [...place.table, serverName];
  return (text, editor) => {
    const sound = soundText(text, path, editor);
    if (sound === undefined) return text;
    const raw = editor.valueAt(sound, path);
    if (raw === undefined) return sound;
    const known = readServerCommand(adapter.readEntry(raw)?.command ?? []);
    const launcher = known?.isNpx === true ? npxLauncher : installed;
    const server = known?.server ?? readServerCommand(['pyro', 'mcp', 'serve'])?.server;
    if (server === undefined) return sound;
    const command = serverCommand(launcher, server, folder);
    return editor.setFields(
      sound,
      path,
      adapter.fields({ command, isNpx: known?.isNpx === true, isApproved: false }, raw),
    );
  };
}

export function withoutEntry(place: ConfigPlace): Edit {
  const path = [...place.table, serverName];
  return (text, editor) => {
    const sound = soundText(text, path, editor);
    if (sound === undefined || editor.valueAt(sound, path) === undefined) return sound ?? text;
    return editor.removeEntry(sound, path);
  };
}

/** Without fault and without repeated entries; undefined when that takes a person. */
function soundText(text: string, path: readonly string[], editor: ConfigEditor): string | undefined {
  return text.trim() === '' ? text : editor.mend(text, path);
}

/** Scopes that share a file are changed together. */
export function placesByFile(places: readonly ConfigPlace[]): [ConfigPlace, ...ConfigPlace[]][] {
  const files: [ConfigPlace, ...ConfigPlace[]][] = [];
  for (const place of places) {
    const known = files.find(([first]) => first.path === place.path);
    if (known === undefined) files.push([place]);
    else known.push(place);
  }
  return files;
}

/** Only the owner of a file can do that; anyone else gets the error of the read. */
async function mendMode(path: string): Promise<string | undefined> {
  try {
    const status = await stat(path);
    if (!status.isFile()) return undefined;
    const mode = status.mode & 0o7777;
    const wanted = mendedMode(mode);
    if (wanted === mode) return undefined;
    await chmod(path, wanted);
    return `${path} has mode ${wanted.toString(8)} now; it had ${mode.toString(8).padStart(3, '0')}`;
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EPERM' || code === 'EACCES') return undefined;
    throw error;
  }
}
