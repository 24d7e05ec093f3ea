// The two places of a copy as a person writes them: `ID:path` in a workspace, a path of the host, or `-` for a stream.
import { PyroError } from '../shared/errors.ts';

export interface CopyWords {
  readonly source: string;
  readonly target: string;
  /** Id, beginning or name; undefined where the one of this folder is meant */
  readonly workspace: string | undefined;
}

const hint = 'one side is ID:path, such as: pyro cp 6f1e538c0e71:build/report.html .';

/**
 * The workspace apart from the places, of which the one in the guest keeps its colon. As everywhere, a colon behind a
 * slash belongs to a path of the host; only where no side were in a workspace otherwise it can but be one whose name has
 * a slash. Throws `usage` unless exactly one side is in a workspace.
 */
export function readCopyWords(source: string, target: string): CopyWords {
  const plain = [splitPlace(source), splitPlace(target)];
  const isPlain = plain.some((place) => place !== undefined);
  const [from, to] = isPlain ? plain : [splitSlashed(source), splitSlashed(target)];
  if (from === undefined && to === undefined) {
    throw new PyroError('usage', `${source} and ${target} are both on this machine`, { hint });
  }
  if (from !== undefined && to !== undefined && !isPlain) {
    throw new PyroError(
      'usage',
      `either of ${source} and ${target} may be in a workspace whose name contains a slash`,
      {
        hint: 'write ./ before the path on this machine, or give the id of the workspace',
      },
    );
  }
  if (from !== undefined && to !== undefined) {
    throw new PyroError('usage', `${source} and ${target} are both in a workspace`, {
      hint: `go through this machine: pyro cp ${source} - | pyro cp - ${target}`,
    });
  }
  const workspace = (from ?? to)?.workspace;
  return {
    source: from === undefined ? source : `:${from.path}`,
    target: to === undefined ? target : `:${to.path}`,
    workspace: workspace === '' ? undefined : workspace,
  };
}

function splitPlace(word: string): { workspace: string; path: string } | undefined {
  // `C:\Users` is what someone has copied from elsewhere, and names no workspace.
  const [, workspace, path] = /^([^/:]*):(?!\\)(.*)$/s.exec(word) ?? [];
  return workspace === undefined || path === undefined ? undefined : { workspace, path };
}

/** The same for a name such as `fix/login`, as branches have it; what begins as a path does is one. */
function splitSlashed(word: string): { workspace: string; path: string } | undefined {
  const [, workspace, path] = /^(?!\.{0,2}\/|~)([^:]*\/[^:]*):(.*)$/s.exec(word) ?? [];
  return workspace === undefined || path === undefined ? undefined : { workspace, path };
}
