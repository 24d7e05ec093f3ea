// What a command brings of the place where it is called: the checkout around it, and the workspace that came from there.
import { type FrontContext, invokeOperation } from '../daemon/client.ts';
import type { CallOperation } from '../operations/define.ts';
import { operations } from '../operations/index.ts';
import { settingsFor } from '../operations/settings.ts';
import { findWorkspaceHere } from '../operations/workspace-here.ts';
import { workspaceFieldOf } from '../operations/workspace-reference.ts';
import type { ProjectSource } from '../shared/policy-types.ts';
import { checkoutAround, withoutLinks } from '../system/checkout.ts';
import { readSettings, settingsPath } from '../system/settings-file.ts';
import type { CommandCall } from './command.ts';
import { writeNote } from './terminal.ts';

/** The checkout that the command is called in, for one that makes something of it. */
export async function projectOf({ operation }: CommandCall): Promise<ProjectSource | undefined> {
  if (operation.definition.takesCheckout !== true) return undefined;
  const path = await checkoutAround(await withoutLinks(process.cwd()));
  if (path === undefined) return undefined;
  return { path, originKind: 'cwd', originRef: path, includes: [], environment: null };
}

/** Defaults that this user has set, as far as the command takes them. */
export async function userDefaults({ operation }: CommandCall): Promise<Readonly<Record<string, unknown>>> {
  if (operation.definition.settings === undefined) return {};
  return settingsFor(operation, await readSettings(), settingsPath());
}

/** The call with the workspace of this folder where none was named; which one that is, is said. */
export async function withWorkspaceHere(call: CommandCall, context: FrontContext): Promise<CommandCall> {
  const field = workspaceFieldOf(call.operation);
  if (!call.isWorkspaceOpen || field === undefined) return call;
  const folder = await withoutLinks(process.cwd());
  const list: CallOperation = async (name, input, signal) => {
    const operation = operations.find(({ definition }) => definition.name === name);
    if (operation === undefined) throw new Error(`there is no operation ${name}`);
    return (await invokeOperation(operation, input, { ...context, io: undefined, signal })).output;
  };
  const { id, name } = await findWorkspaceHere(folder, list, context.signal);
  writeNote(`[workspace] ${id}${name === null ? '' : ` (${name})`}\n`);
  return { ...call, input: { ...call.input, [field]: id } };
}
