// If the session breaks while the guest lives, a new one is made before anything is read of what it followed.
import type { CallContext } from '../../shared/call-context.ts';
import type { Workspace } from '../workspace/workspace.ts';

export async function reconnect(workspace: Workspace, isLost: boolean, call: CallContext): Promise<void> {
  if (isLost) await workspace.use(call, async () => undefined);
}
