// One pull as a program of its own, whose writes fail or that is killed as ordered: `node fault-pull.ts CACHE NAME`, begun by the order.
import { once } from 'node:events';
import { pullEnvironment } from '../../src/environment/pull.ts';
import { openStore } from '../../src/environment/store.ts';
import { reportError } from '../../src/shared/errors.ts';
import { noProgress } from '../../src/shared/progress.ts';
import { shortLimits } from './pull.ts';

const [cache = '', name = ''] = process.argv.slice(2);
const waiting = setInterval(() => undefined, 1000);
await once(process, 'message');
clearInterval(waiting);
const request = { store: openStore(cache), name, source: 'registry', limits: shortLimits } as const;
const signal = AbortSignal.timeout(60_000);
const code = await pullEnvironment({ ...request, signal, onProgress: noProgress }).then(
  () => null,
  (error: unknown) => reportError(error).code,
);
process.send?.({ code });
// Its channel alone keeps no program alive.
const keeper = setInterval(() => undefined, 1000);
await once(process, 'disconnect');
clearInterval(keeper);
