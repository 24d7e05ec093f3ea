// Processes of one home, by their kind: those that name its folder or have it in their environment, and all that they have started.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export type Kind = 'daemon' | 'server' | 'qemu' | 'confine' | 'job' | 'git' | 'zombie' | 'other';

export interface Found {
  readonly pid: number;
  readonly kind: Kind;
  readonly line: string;
}

interface Raw extends Found {
  readonly parent: number;
  readonly isOurs: boolean;
}

/** `self` is the soak's own process, which is none of them. */
export function processesIn(home: string, self = process.pid): Found[] {
  const all = readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? readProcess(Number(name), home) : []));
  const ours = new Set(all.filter(({ isOurs, pid }) => isOurs && pid !== self).map(({ pid }) => pid));
  // Children may have an environment of their own.
  for (let before = -1; before !== ours.size; ) {
    before = ours.size;
    for (const { pid, parent } of all) if (ours.has(parent)) ours.add(pid);
  }
  const daemons = new Set(all.filter(({ kind }) => kind === 'daemon').map(({ pid }) => pid));
  // Between its fork and its exec a child has the words of who starts it.
  const isBeginning = ({ kind, parent }: Raw): boolean => kind === 'daemon' && daemons.has(parent);
  return all
    .filter((each) => ours.has(each.pid) && !isBeginning(each))
    .map(({ pid, kind, line }) => ({ pid, kind, line }));
}

function readProcess(pid: number, home: string): Raw[] {
  const stat = contentOf(`/proc/${pid}/stat`);
  const [state = '', parent = '0'] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (stat === '') return [];
  const line = contentOf(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
  const isOurs = line.includes(home) || contentOf(`/proc/${pid}/environ`).split('\0').includes(`PYRO_HOME=${home}`);
  const kind = state === 'Z' ? 'zombie' : kindOf(line);
  return [{ pid, parent: Number(parent), isOurs, kind, line: line === '' ? (stat.split(' ')[1] ?? '') : line }];
}

function kindOf(line: string): Kind {
  if (line.includes('daemon serve')) return 'daemon';
  if (line.includes('mcp serve')) return 'server';
  if (line.includes('__job')) return 'job';
  const [program = ''] = line.split(' ');
  if (/(^|\/)confine$/.test(program)) return 'confine';
  if (/qemu-system/.test(program)) return 'qemu';
  return /(^|\/)git$/.test(program) ? 'git' : 'other';
}

/** A field of `/proc/PID/status` in `MiB`; 0 for a process that is gone. */
export function memoryMib(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const kib = new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(contentOf(`/proc/${pid}/status`))?.[1];
  return Number(kib ?? 0) / 1024;
}

/** Processor time so far, `s`; 0 for a process that is gone. */
export function processorSeconds(pid: number): number {
  const stat = contentOf(`/proc/${pid}/stat`);
  const [user = 0, system = 0] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number);
  return (user + system) / 100;
}

export function descriptors(pid: number): { readonly all: number; readonly sockets: number } {
  try {
    const links = readdirSync(`/proc/${pid}/fd`).map((name) => linkOf(`/proc/${pid}/fd/${name}`));
    return { all: links.length, sockets: links.filter((link) => link.startsWith('socket:')).length };
  } catch {
    // It has ended.
    return { all: 0, sockets: 0 };
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    // Closed while we looked.
    return '';
  }
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // Ended while we looked, or another user's.
    return '';
  }
}
