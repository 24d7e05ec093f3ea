// While a guest for one command runs: whether what it was started from is still as it was made.
import type { Environment } from '../../environment/store.ts';
import type { Paths } from '../../system/paths.ts';
import { ContentWatch } from '../guests/content-watch.ts';
import type { ThrowAway } from '../guests/throw-away.ts';

export interface RunContents extends AsyncDisposable {
  /** What has gone bad, as a sentence */
  readonly found: string | undefined;
}

/** Ends with its disposal, however far it has come: the next look, after another run or in the daemon, goes on there. */
export function checkContents(
  paths: Paths,
  { id, used }: Pick<ThrowAway, 'id' | 'used'>,
  environment: Environment,
  projectImage: string | undefined,
): RunContents {
  const end = new AbortController();
  let found: string | undefined;
  const watch = new ContentWatch({
    paths,
    wayOn: 'run the command again',
    signal: end.signal,
    tell: async (_, note) => {
      found = note;
    },
  });
  // A look that fails is made again at the next use.
  const looked = watch.use(id, watch.contentsOf(used, environment.digest, projectImage)).catch(() => undefined);
  return {
    get found() {
      return found;
    },
    [Symbol.asyncDispose]: async () => {
      end.abort();
      await looked;
    },
  };
}
