// What happened in a workspace goes into its history, with stars for secrets: names and paths of callers stand in it.
import type { WorkspaceEvent } from '../../contract/records.ts';
import type { SecretSet } from '../../secrets/secret-set.ts';
import { recordEvent } from '../output/events.ts';
import type { WorkspaceFiles } from './workspace-record.ts';

interface Historian {
  readonly files: WorkspaceFiles;
  readonly secrets: SecretSet;
}

export async function noteEvent(
  { files, secrets }: Historian,
  kind: WorkspaceEvent['kind'],
  detail: string,
): Promise<void> {
  await recordEvent(files.events, kind, secrets.maskText(detail));
}
