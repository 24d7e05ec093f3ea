// Programs that a signal has stopped (SIGSTOP) and that nobody lets go on: whoever waits for one would wait for ever.
import { readFileSync } from 'node:fs';
import { PyroError } from '../shared/errors.ts';

const lookMs = 500;
/** In so many looks in a row it was stopped and had done nothing since the first: time in which we are stopped ourselves counts for none */
const mostLooks = 10;
/** More of one program are not looked at */
const mostProcesses = 64;

/** Calls back once when the process, or with `isDeep` one that it has started, has been stopped for 5 s. */
export function watchForStop(pid: number, onStopped: () => void, isDeep = true): Disposable {
  let looks = new Map<string, number>();
  const timer = setInterval(() => {
    const now = isDeep ? withChildren(pid) : [pid];
    // One that is let go on now and then, as by who holds its share of a processor down, gets on.
    looks = new Map(now.flatMap(stoppedAt).map((state) => [state, (looks.get(state) ?? 0) + 1]));
    if (Math.max(0, ...looks.values()) <= mostLooks) return;
    clearInterval(timer);
    onStopped();
  }, lookMs);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** Which process it is and how much it had done when it was stopped; nothing while it runs, or where nobody can tell. */
function stoppedAt(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'T' ? [`${pid} ${fields[10]} ${fields[11]}`] : [];
  } catch {
    // It has ended, or too many files are open.
    return [];
  }
}

/** The first of a helper may wait for another of it that is stopped. */
function withChildren(pid: number): number[] {
  const found = [pid];
  // What is pushed is looked at in its turn.
  for (const each of found) {
    if (found.length > mostProcesses) break;
    found.push(...childrenOf(each));
  }
  return found;
}

function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1');
    return text.split(' ').filter(Boolean).map(Number);
  } catch {
    // It has ended, or the kernel keeps no such list.
    return [];
  }
}

export function wasStopped(what: string): PyroError {
  const seconds = (lookMs * mostLooks) / 1000;
  return new PyroError('tool_failed', `${what} was stopped by a signal (SIGSTOP), and did not go on for ${seconds} s`, {
    hint: 'it was ended; call again, and look who stops programs of this user',
  });
}
