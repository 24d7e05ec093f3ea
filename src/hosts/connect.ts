// Connecting a host: the entry is edited into its file, since the hosts' own programs write all of it again, and then the host is asked.

import type { ConnectResult, HostChange, HostConnectInput } from '../contract/machine.ts';
import type { CallContext } from '../shared/call-context.ts';
import { PyroError } from '../shared/errors.ts';
import type { HostScope } from '../shared/host-types.ts';
import { findProgram } from '../system/find-program.ts';
import { type ConfigPlace, type EntryWish, type HostAdapter, serverName } from './adapter.ts';
import { adapterOf } from './adapter-of.ts';
import { carryOut, type Edit, type Plan, planEdit } from './change.ts';
import { editorFor } from './editors.ts';
import { requireHost, verify } from './host-program.ts';
import { chooseLauncher } from './launcher.ts';
import { serverCommand } from './server-command.ts';

export async function connect(
  input: HostConnectInput,
  folder: string,
  context: CallContext,
  needsHost: boolean,
): Promise<ConnectResult> {
  const adapter = await adapterOf(input.host);
  const place = await placeIn(adapter, input.scope ?? adapter.defaultScope, folder);
  const command = serverCommand(await chooseLauncher(input.npx), input, folder);
  const wish: EntryWish = { command, isNpx: command[0] === 'npx', isApproved: input.approve };
  const program = findProgram(adapter.program);
  if (needsHost) await requireHost(adapter, place, program);

  const replan = async (): Promise<Plan> => await planEdit(adapter, place, editTo(adapter, place, wish));
  const plan = await replan();
  const old = valueIn(place, plan.file.text);
  const change: HostChange = {
    host: adapter.name,
    scope: place.scope,
    config_file: place.path,
    server_command: [...command],
    action: plan.diff === '' ? 'unchanged' : old === undefined ? 'added' : 'updated',
    written: false,
    method: 'none',
    diff: plan.diff,
    backup: null,
  };
  if (input.dry_run)
    return {
      host: adapter.name,
      dry_run: true,
      changes: [change],
      verification: null,
      notes: sharedNotes(place, wish),
    };
  const isChanged = change.action !== 'unchanged';
  const backup = isChanged ? await carryOut(plan, replan) : null;
  const written: HostChange = { ...change, written: isChanged, method: isChanged ? 'file' : 'none', backup };
  const answer = await ask(adapter, place, program, folder, context);
  const notes = [...sharedNotes(place, wish), ...answer.notes];
  return { host: adapter.name, dry_run: false, changes: [written], verification: answer.verification, notes };
}

function sharedNotes({ scope, path }: ConfigPlace, { isNpx }: EntryWish): string[] {
  if (scope !== 'project' || isNpx) return [];
  return [
    `${path} is shared, but the path in it is specific to this machine: --npx writes a command that works for everyone`,
  ];
}

/** Throws `usage` for a scope that the host does not have. */
export async function placeIn(adapter: HostAdapter, scope: HostScope, folder: string): Promise<ConfigPlace> {
  const places = await adapter.places(folder);
  const place = places.find((each) => each.scope === scope);
  if (place !== undefined) return place;
  throw new PyroError('usage', `${adapter.title} has no scope ${scope}`, {
    hint: `it has: ${places.map((each) => each.scope).join(', ')}`,
  });
}

export function editTo(adapter: HostAdapter, place: ConfigPlace, wish: EntryWish): Edit {
  const path = [...place.table, serverName];
  return (text, editor) => editor.setFields(text, path, adapter.fields(wish, editor.valueAt(text, path)));
}

export function valueIn(place: ConfigPlace, text: string): unknown {
  return editorFor(place.format).valueAt(text, [...place.table, serverName]);
}

/** What the host says in the end; a file that no program reads here is checked by its text alone. */
export async function ask(
  adapter: HostAdapter,
  place: ConfigPlace,
  program: string | undefined,
  folder: string,
  { signal, onProgress }: CallContext,
): Promise<{ verification: string | null; notes: string[] }> {
  const { file } = await planEdit(adapter, place, (text) => text);
  const entry = adapter.readEntry(valueIn(place, file.text));
  if (entry === undefined) {
    throw new PyroError('host_verify_failed', `the entry is not in ${place.path} after it was written`, {
      hint: `something else wrote the file at the same time; run ${adapter.connectCommand} again`,
    });
  }
  if (program === undefined) {
    return { verification: null, notes: [`${adapter.program} is not on PATH, so it was not asked`] };
  }
  onProgress({ phase: 'verify', message: `asking ${adapter.title}` });
  const { status, text } = await verify(adapter, program, entry, { folder, signal });
  return { verification: text, notes: status === 'ok' ? [] : [`${adapter.title} does not run it yet: ${text}`] };
}
