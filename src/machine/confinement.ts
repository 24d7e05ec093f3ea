// How far QEMU can be shut in on this machine: tried from the strongest form to the weakest, and remembered.
import { readFile, stat } from 'node:fs/promises';
import { homedir, release } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { messageOf } from '../shared/errors.ts';
import { tryCommand } from '../system/command.ts';
import { readVariable } from '../system/environment-variables.ts';
import { exists, readJson, writeJson } from '../system/files.ts';
import type { QemuFacts } from './host-facts.ts';
import { kitFolder } from './kit.ts';

const formSchema = z.object({
  /** Own mount, network, process, IPC, host name and cgroup namespaces */
  namespaces: z.boolean(),
  /** Made in a user namespace, by who is not root */
  userNamespace: z.boolean(),
  /** Each guest's QEMU has a user id of its own */
  ownUser: z.boolean(),
  landlock: z.boolean(),
});
export type ConfinementForm = z.infer<typeof formSchema>;

export interface Confinement {
  /** The program of the guest kit that confines another */
  readonly launcher: string;
  /** Absent: QEMU runs like any other program of its user, but for its own seccomp filter */
  readonly form: ConfinementForm | undefined;
  /** Version of Landlock, 0 for none */
  readonly landlock: number;
  /** What does not hold here, and why; absent when everything does */
  readonly weakness: string | undefined;
  /** Folders and files that QEMU itself is made of */
  readonly programFiles: readonly string[];
  /** Told of a QEMU that could not be confined as found, and is not */
  readonly onFailure: (why: string) => void;
}

const cacheSchema = z.object({
  key: z.string(),
  form: formSchema.nullable(),
  landlock: z.number(),
  weakness: z.string().nullable(),
});
type Finding = Omit<z.infer<typeof cacheSchema>, 'key'>;

/** One by which tests show what holds without; see {@link inspectConfinement} for the real one. */
export function noConfinement(weakness: string): Confinement {
  return {
    launcher: '',
    form: undefined,
    landlock: 0,
    weakness,
    programFiles: [],
    onFailure: () => undefined,
  };
}

/** What holds on this machine. `isFresh` tries it again even where the answer is known; it never throws. */
export async function inspectConfinement(
  qemu: Pick<QemuFacts, 'path' | 'stamp'>,
  cacheFolder: string,
  isFresh = false,
): Promise<Confinement> {
  const wish = readVariable('PYRO_CONFINEMENT');
  if (wish === 'off') return noConfinement('PYRO_CONFINEMENT=off');
  const launcher = join(kitFolder(), 'confine');
  const status = await stat(launcher).catch(() => undefined);
  if (status === undefined) return noConfinement(`the guest kit has no ${launcher}`);
  const programFiles = await filesOfProgram(qemu.path);
  const key = JSON.stringify([
    release(),
    process.getuid?.(),
    status.size,
    status.mtimeMs,
    qemu.stamp,
    await switches(),
  ]);
  const cacheFile = join(cacheFolder, 'confinement.json');
  const remembered = isFresh ? undefined : await readJson(cacheFile, cacheSchema).catch(() => undefined);
  const isKnown = remembered?.key === key;
  const finding = isKnown ? remembered : await tryForms(launcher, qemu.path, programFiles);
  if (!isKnown) await writeJson(cacheFile, { ...finding, key }).catch(() => undefined);
  const { form, landlock, weakness } = finding;
  return {
    launcher,
    form: form ?? undefined,
    landlock,
    weakness: weakness ?? undefined,
    programFiles,
    onFailure: () => undefined,
  };
}

/** Switches of the kernel that a person may turn to mend what doctor says. */
async function switches(): Promise<string[]> {
  const names = [
    'user/max_user_namespaces',
    'kernel/unprivileged_userns_clone',
    'kernel/apparmor_restrict_unprivileged_userns',
  ];
  return await Promise.all(names.map((name) => readFile(`/proc/sys/${name}`, 'utf8').catch(() => '')));
}

async function tryForms(launcher: string, qemu: string, programFiles: readonly string[]): Promise<Finding> {
  const landlock = Number((await run(launcher, ['--abi'], {})).output) || 0;
  const isRoot = process.getuid?.() === 0;
  const shutIn = { namespaces: true, landlock: landlock > 0 };
  const forms: ConfinementForm[] = [
    ...(isRoot
      ? [
          { ...shutIn, userNamespace: false, ownUser: true },
          { ...shutIn, userNamespace: false, ownUser: false },
        ]
      : []),
    { ...shutIn, userNamespace: true, ownUser: false },
    ...(landlock > 0 ? [{ namespaces: false, userNamespace: false, ownUser: false, landlock: true }] : []),
    { namespaces: false, userNamespace: false, ownUser: false, landlock: false },
  ];
  let why: string | undefined;
  for (const form of forms) {
    const spec = { ...probeSpec(form, launcher, programFiles), line: [qemu, '--version'] };
    const answer = await run(launcher, ['probe'], { PYRO_CONFINE: JSON.stringify(spec) });
    if (answer.failure === undefined) return { form, landlock, weakness: weaknessOf(form, isRoot, why) };
    why ??= answer.failure;
  }
  return { form: null, landlock, weakness: `QEMU does not start confined: ${why}` };
}

/** What a finding lacks of all that can hold; null for nothing. A kernel without Landlock still has the namespaces. */
function weaknessOf(form: ConfinementForm, isRoot: boolean, why: string | undefined): string | null {
  const lacking = [
    ...(form.namespaces ? [] : ['no namespaces of its own']),
    ...(isRoot && !form.ownUser ? ['no user of its own'] : []),
    ...(form.landlock || form.namespaces ? [] : ['no Landlock']),
  ];
  return lacking.length === 0 ? null : `${lacking.join(', ')} (${why ?? 'not offered here'})`;
}

/** No user of the system, and no container's: above what systemd gives out. */
export const firstUser = 1_900_000_000;

function probeSpec(form: ConfinementForm, launcher: string, programFiles: readonly string[]): object {
  return {
    namespaces: form.namespaces,
    user_namespace: form.userNamespace,
    uid: form.ownUser ? firstUser : 0,
    landlock: form.landlock,
    read: programFiles,
    // Any file will do: that the kernel lets one be served is what matters.
    ram: launcher,
    limits: { open_files: 1024 },
    descriptors: 3,
    environment: programEnvironment(),
  };
}

async function run(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ readonly output: string; readonly failure: string | undefined }> {
  try {
    const { exitCode, stdout, stderr } = await tryCommand(file, args, { env, timeoutMs: 10_000 });
    const words = stderr.trim().split('\n').at(-1) ?? '';
    return {
      output: stdout,
      failure: exitCode === 0 ? undefined : words.replace(/^confine: /, '') || `exit code ${exitCode}`,
    };
  } catch (error) {
    return { output: '', failure: messageOf(error) };
  }
}

/** Everything that QEMU gets of our environment. */
export function programEnvironment(): string[] {
  const libraries = process.env['LD_LIBRARY_PATH'];
  const plain = ['PATH=/usr/local/bin:/usr/bin:/bin', 'LANG=C.UTF-8', 'HOME=/'];
  return libraries === undefined || libraries === '' ? plain : [...plain, `LD_LIBRARY_PATH=${libraries}`];
}

const systemFiles = [
  '/usr',
  '/lib',
  '/lib64',
  '/lib32',
  '/libx32',
  '/bin',
  '/sbin',
  '/etc/ld.so.cache',
  '/etc/ld-musl-x86_64.path',
  '/nix/store',
  '/gnu/store',
];

/** Where a program and its libraries and data may lie: public parts of the system, and its own prefix. */
export async function filesOfProgram(program: string): Promise<string[]> {
  const wanted = [...systemFiles];
  if (!isBelowAny(program, systemFiles)) {
    const prefix = dirname(dirname(program));
    const isOwn = prefix.split('/').length > 2 && !homedir().startsWith(prefix);
    wanted.push(...(isOwn ? [prefix] : [program, join(prefix, 'lib'), join(prefix, 'share', 'qemu')]));
  }
  const libraries = process.env['LD_LIBRARY_PATH']?.split(':') ?? [];
  wanted.push(...libraries.filter((folder) => folder.startsWith('/') && !isBelowAny(folder, wanted)));
  const there = await Promise.all(wanted.map(exists));
  return wanted.filter((_path, index) => there[index]);
}

function isBelowAny(path: string, folders: readonly string[]): boolean {
  return folders.some((folder) => path === folder || path.startsWith(`${folder}/`));
}
