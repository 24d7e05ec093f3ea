// Shells of a workspace as operations call them.

import type {
  ShellCloseInput,
  ShellCloseOutput,
  ShellListInput,
  ShellListOutput,
  ShellOpenInput,
  ShellOpenOutput,
  ShellReadInput,
  ShellReadOutput,
  ShellResizeInput,
  ShellSignalInput,
  ShellSignalOutput,
  ShellView,
  ShellWriteInput,
  ShellWriteOutput,
} from '../../contract/shells.ts';
import { secretWords } from '../../secrets/secret-set.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { noteSecretsFor } from '../output/audit-notes.ts';
import type { Shell } from '../shells/shell.ts';
import { readShell } from '../shells/shell-read.ts';
import { viewOfShell } from '../shells/shell-record.ts';
import { baseEnvironment, guestPath, workspacePath } from '../workspace/guest-places.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { noteEvent, refuseInRecord } from '../workspace/workspace-secrets.ts';
import { reconnect } from './reconnect.ts';

export async function openShell(
  workspace: Workspace,
  { cwd, cols, rows, env, secret_env: secretEnv }: ShellOpenInput,
  call: CallContext,
): Promise<ShellOpenOutput> {
  return await workspace.use(call, async ({ guest, restarted }) => {
    const place = { cwd: guestPath(cwd ?? workspacePath), cols, rows };
    refuseInRecord('the working directory of the shell', [place.cwd], workspace.secrets);
    const usual = { ...baseEnvironment(workspace.record), ...workspace.network.variables };
    const request = { ...place, env: { ...usual, ...env, ...workspace.secrets.environment(secretWords(secretEnv)) } };
    const shell = await workspace.tenants.shells.start(guest.client, request, call.signal);
    await noteEvent(workspace, 'shell', `${shell.record.id} opened`);
    await noteSecretsFor(workspace.audit, secretEnv, `the shell ${shell.record.id}`);
    return { ...viewOf(workspace, shell), restarted };
  });
}

export async function readShellOf(
  workspace: Workspace,
  input: ShellReadInput,
  call: CallContext,
): Promise<ShellReadOutput> {
  const shell = await followed(workspace, input.shell_id, call);
  await workspace.touch();
  return await readShell(workspace.record.id, shell, input, call.signal);
}

export async function writeToShell(
  workspace: Workspace,
  { shell_id: id, input, append_newline }: ShellWriteInput,
  call: CallContext,
): Promise<ShellWriteOutput> {
  return await withShell(workspace, id, call, async (shell) => {
    // What the Enter key sends: a terminal turns it into a line break unless a program asked for raw keys.
    const bytes = Buffer.from(`${input}${append_newline ? '\r' : ''}`);
    return { ...viewOf(workspace, shell), input_length: await shell.write(bytes, call.signal), append_newline };
  });
}

export async function resizeShell(
  workspace: Workspace,
  { shell_id: id, cols, rows }: ShellResizeInput,
  call: CallContext,
): Promise<ShellView> {
  return await withShell(workspace, id, call, async (shell) => {
    await shell.resize(cols, rows, call.signal);
    return viewOf(workspace, shell);
  });
}

export async function signalShell(
  workspace: Workspace,
  { shell_id: id, signal_name: signal }: ShellSignalInput,
  call: CallContext,
): Promise<ShellSignalOutput> {
  return await withShell(workspace, id, call, async (shell) => {
    await shell.signal(signal, call.signal);
    return { ...viewOf(workspace, shell), signal };
  });
}

/** Ends it and discards its output. */
export async function closeShell(
  workspace: Workspace,
  { shell_id: id }: ShellCloseInput,
  call: CallContext,
): Promise<ShellCloseOutput> {
  const shell = await followed(workspace, id, call);
  const bytes = shell.log.end;
  const record = await workspace.tenants.shells.close(id);
  await noteEvent(workspace, 'shell', `${id} closed`);
  await workspace.touch();
  return { ...viewOfShell(workspace.record.id, record, bytes), closed: true };
}

export function listShells(workspace: Workspace, { workspace_id }: ShellListInput): ShellListOutput {
  const shells = workspace.tenants.shells.all().map((shell) => viewOf(workspace, shell));
  return { workspace_id, count: shells.length, shells };
}

async function withShell<T>(
  workspace: Workspace,
  id: string,
  call: CallContext,
  work: (shell: Shell) => Promise<T>,
): Promise<T> {
  const shell = workspace.tenants.shells.get(id);
  // A shell that has ended needs no guest, so none is started for it.
  if (!shell.isRunning) return await work(shell);
  return await workspace.use(call, () => work(shell));
}

async function followed(workspace: Workspace, id: string, call: CallContext): Promise<Shell> {
  const shell = workspace.tenants.shells.get(id);
  await reconnect(workspace, shell.isRunning && !shell.isFollowed, call);
  return shell;
}

function viewOf(workspace: Workspace, shell: Shell): ShellView {
  return viewOfShell(workspace.record.id, shell.record, shell.log.end);
}
