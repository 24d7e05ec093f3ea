// Takes the entries of a host out of its files; what else stands there stays to the byte.
import type { ConnectResult, HostChange, HostDisconnectInput } from '../contract/machine.ts';
import { serverName } from './adapter.ts';
import { adapterOf } from './adapter-of.ts';
import { carryOut, type Plan, planEdit } from './change.ts';
import { placeIn, valueIn } from './connect.ts';
import { placesByFile } from './repair.ts';

export async function disconnect(input: HostDisconnectInput, folder: string): Promise<ConnectResult> {
  const adapter = await adapterOf(input.host);
  if (input.scope !== undefined) await placeIn(adapter, input.scope, folder);
  const changes: HostChange[] = [];
  for (const places of placesByFile(await adapter.places(folder))) {
    const [first] = places;
    const own = places.filter(({ scope }) => input.scope === undefined || scope === input.scope);
    const planner = async (): Promise<Plan> =>
      await planEdit(adapter, first, (text, editor) =>
        own.reduce((next, place) => {
          const path = [...place.table, serverName];
          return editor.valueAt(next, path) === undefined ? next : editor.removeEntry(next, path);
        }, text),
      );
    const plan = await planner();
    const place = own.find((each) => valueIn(each, plan.file.text) !== undefined);
    if (place === undefined) continue;
    const command = adapter.readEntry(valueIn(place, plan.file.text))?.command ?? [];
    changes.push({
      host: adapter.name,
      scope: place.scope,
      config_file: place.path,
      server_command: [...command],
      action: 'removed',
      written: !input.dry_run,
      method: input.dry_run ? 'none' : 'file',
      diff: plan.diff,
      backup: input.dry_run ? null : await carryOut(plan, planner),
    });
  }
  const where = input.scope === undefined ? '' : ` in scope ${input.scope}`;
  return {
    host: adapter.name,
    dry_run: input.dry_run,
    changes,
    verification: null,
    notes: changes.length === 0 ? [`${adapter.title} has no entry for pyro${where}; nothing was changed`] : [],
  };
}
