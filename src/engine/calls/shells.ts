// Shells of a workspace as operations call them.

import type {
  ShellOpenRequest,
  ShellReadRequest,
  ShellReadResult,
  ShellView,
  WorkspaceShells,
} from '../../contract/shells-requests.ts';
import type { CallContext } from '../../shared/call-context.ts';
import { recordEvent } from '../output/events.ts';
import type { Shell } from '../shells/shell.ts';
import { readShell } from '../shells/shell-read.ts';
import { viewOfShell } from '../shells/shell-record.ts';
import { baseEnvironment, guestPath, workspacePath } from '../workspace/guest-places.ts';
import type { Workspace } from '../workspace/workspace.ts';
import type { WorkspaceRegistry } from '../workspace/workspace-registry.ts';
import { refuseInRecord } from '../workspace/workspace-secrets.ts';

export function createShellCalls(registry: WorkspaceRegistry): WorkspaceShells {
  return {
    open: (id, request, call) => openShell(registry.get(id), request, call),
    read: (id, shell, request, call) => readShellOf(registry.get(id), shell, request, call),
    write: (id, shell, request, call) => writeToShell(registry.get(id), shell, request, call),
    resize: (id, shell, size, call) => resizeShell(registry.get(id), shell, size, call),
    signal: (id, shell, name, call) => signalShell(registry.get(id), shell, name, call),
    close: (id, shell, call) => closeShell(registry.get(id), shell, call),
    list: async (id) => listShells(registry.get(id)),
  };
}

async function openShell(
  workspace: Workspace,
  { cwd, cols, rows, env, secretEnv }: ShellOpenRequest,
  call: CallContext,
): Promise<ShellView & { readonly restarted: boolean }> {
  return await workspace.use(call, async ({ guest, restarted }) => {
    const place = { cwd: guestPath(cwd ?? workspacePath), cols, rows };
    refuseInRecord('the working directory of the shell', [place.cwd], workspace.secrets);
    const usual = { ...baseEnvironment(workspace.record), ...workspace.network.variables };
    const request = { ...place, env: { ...usual, ...env, ...workspace.secrets.environment(secretEnv) } };
    const shell = await workspace.tenants.shells.start(guest.client, request, call.signal);
    await recordEvent(workspace.files.events, 'shell', `${shell.record.id} opened`);
    return { ...viewOf(workspace, shell), restarted };
  });
}

async function readShellOf(
  workspace: Workspace,
  id: string,
  request: ShellReadRequest,
  call: CallContext,
): Promise<ShellReadResult> {
  const shell = workspace.tenants.shells.get(id);
  await ensureFollowed(workspace, shell, call);
  await workspace.touch();
  return await readShell(workspace.record.id, shell, request, call.signal);
}

async function writeToShell(
  workspace: Workspace,
  id: string,
  { input, appendsNewline }: { readonly input: string; readonly appendsNewline: boolean },
  call: CallContext,
): Promise<ShellView & { readonly input_length: number }> {
  return await withShell(workspace, id, call, async (shell) => {
    // What the Enter key sends: a terminal makes a line break of it unless a program asked for keys as they are.
    const bytes = Buffer.from(`${input}${appendsNewline ? '\r' : ''}`);
    return { ...viewOf(workspace, shell), input_length: await shell.write(bytes, call.signal) };
  });
}

async function resizeShell(
  workspace: Workspace,
  id: string,
  { cols, rows }: { readonly cols: number; readonly rows: number },
  call: CallContext,
): Promise<ShellView> {
  return await withShell(workspace, id, call, async (shell) => {
    await shell.resize(cols, rows, call.signal);
    return viewOf(workspace, shell);
  });
}

async function signalShell(workspace: Workspace, id: string, name: string, call: CallContext): Promise<ShellView> {
  return await withShell(workspace, id, call, async (shell) => {
    await shell.signal(name, call.signal);
    return viewOf(workspace, shell);
  });
}

async function closeShell(workspace: Workspace, id: string, call: CallContext): Promise<ShellView> {
  const shell = workspace.tenants.shells.get(id);
  await ensureFollowed(workspace, shell, call);
  const bytes = shell.log.end;
  const record = await workspace.tenants.shells.close(id);
  await recordEvent(workspace.files.events, 'shell', `${id} closed`);
  await workspace.touch();
  return viewOfShell(workspace.record.id, record, bytes);
}

function listShells(workspace: Workspace): ShellView[] {
  return workspace.tenants.shells.all().map((shell) => viewOf(workspace, shell));
}

async function withShell<T>(
  workspace: Workspace,
  id: string,
  call: CallContext,
  work: (shell: Shell) => Promise<T>,
): Promise<T> {
  const shell = workspace.tenants.shells.get(id);
  // A shell that has ended needs no guest, which is not started for it.
  if (!shell.isRunning) return await work(shell);
  return await workspace.use(call, () => work(shell));
}

/** A session that broke under a living guest is made again. */
async function ensureFollowed(workspace: Workspace, shell: Shell, call: CallContext): Promise<void> {
  if (shell.isRunning && !shell.isFollowed) await workspace.use(call, async () => undefined);
}

function viewOf(workspace: Workspace, shell: Shell): ShellView {
  return viewOfShell(workspace.record.id, shell.record, shell.log.end);
}
