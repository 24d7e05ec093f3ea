// The workspace that a word means: its id, a unique beginning of it, or its name.
import { PyroError } from '../../shared/errors.ts';
import { hintCall } from '../../shared/hint-words.ts';
import type { WorkspaceRegistry } from './workspace-registry.ts';

/** So many are named when a word means several */
const mostCandidates = 10;

/** What is looked through; a damaged workspace has no name that could be read. */
export interface Findable {
  readonly id: string;
  readonly name: string | null;
}

export function findWorkspace(registry: WorkspaceRegistry, reference: string): string {
  return findIn(
    [
      ...registry.all().map(({ record }) => ({ id: record.id, name: record.name })),
      ...[...registry.damaged().keys()].map((id) => ({ id, name: null })),
    ],
    reference,
  );
}

/** The id. A whole id comes before a name, a name before a beginning. Throws `workspace_unknown` or `workspace_ambiguous`. */
export function findIn(all: readonly Findable[], reference: string): string {
  if (all.some(({ id }) => id === reference)) return reference;
  const named = all.filter(({ name }) => name === reference);
  const found = named.length > 0 ? named : all.filter(({ id }) => id.startsWith(reference));
  const [first, ...others] = found;
  if (first === undefined) {
    throw new PyroError('workspace_unknown', `there is no workspace ${JSON.stringify(reference.slice(0, 120))}`, {
      hint: `list them with: ${hintCall('workspace.list')}`,
    });
  }
  if (others.length === 0) return first.id;
  const shown = found.slice(0, mostCandidates).map(({ id, name }) => (name === null ? id : `${id} (${name})`));
  const more = found.length > shown.length ? ` and ${found.length - shown.length} more` : '';
  throw new PyroError(
    'workspace_ambiguous',
    `${JSON.stringify(reference)} is ${named.length > 0 ? 'the name' : 'the beginning of the id'} of ${found.length} workspaces: ${shown.join(', ')}${more}`,
    { hint: 'use the full id of one of them', details: { candidates: found.map(({ id }) => id) } },
  );
}

/** A workspace that only a start brings back. */
export function stoppedError(id: string): PyroError {
  return new PyroError('workspace_stopped', `workspace ${id} was stopped`, {
    hint: `start it with: ${hintCall('workspace.start', { workspace_id: id })}`,
  });
}
