// The history of a workspace: one JSON line for each thing that happened, for the summary.

import { appendFile } from 'node:fs/promises';
import { eventSchema, type WorkspaceEvent } from '../../contract/records.ts';
import { isHostFault, systemCodeOf } from '../../shared/errors.ts';
import { readOwnFile } from '../../system/files.ts';

/** A disk that takes nothing costs the line: the event has happened anyway, and must not count as failed. */
export async function recordEvent(path: string, kind: WorkspaceEvent['kind'], detail: string): Promise<void> {
  try {
    await appendFile(path, `${JSON.stringify({ at: Date.now() / 1000, kind, detail })}\n`, { mode: 0o600 });
  } catch (error) {
    if (!isHostFault(error)) throw error;
  }
}

/** Events in order; lines that a crash cut short are left out. */
export async function readEvents(path: string): Promise<WorkspaceEvent[]> {
  let text: string;
  try {
    text = await readOwnFile(path);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return [];
    throw error;
  }
  return text.split('\n').flatMap((line) => {
    try {
      return [eventSchema.parse(JSON.parse(line))];
    } catch {
      // The last line of a killed daemon may be incomplete.
      return [];
    }
  });
}
