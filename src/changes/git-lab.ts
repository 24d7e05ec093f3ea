// A throw-away bare repository in which contents of a guest are compared: no path of a guest is ever a path of the host.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { isDiskFull, PyroError } from '../shared/errors.ts';
import { hintCall } from '../shared/hint-words.ts';
import type { OnProgress } from '../shared/progress.ts';
import { type CommandResult, tryCommand } from '../system/command.ts';
import { failureOf } from '../system/command-errors.ts';
import { readVariable } from '../system/environment-variables.ts';
import { type RawChange, rawChangesIn, readRawDiff } from './raw-diff.ts';

/** What every call of this room carries from its caller. */
export interface WorkContext {
  readonly signal: AbortSignal;
  readonly onProgress?: OnProgress;
}

export interface GitCall {
  readonly input?: Readable | string;
  /** Settings as `name=value`, for this call */
  readonly settings?: readonly string[];
  /** Name of a file of the lab that takes standard output */
  readonly outputFile?: string;
  /** True for what wants a work tree: it gets an empty one, `empty` */
  readonly hasWorkTree?: boolean;
}

/** Comparing what fills a guest's disk takes its time; a caller that gives up ends it before. */
const timeoutMs = 3_600_000;
const emptyTree = '4b825dc642cb6eb9a060e54bf8d69288fbee4904';

/** Whatever a user's, a system's or a guest's configuration could say, said here. */
const settings = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.attributesFile=/dev/null',
  'core.excludesFile=/dev/null',
  'core.ignoreCase=false',
  'core.logAllRefUpdates=false',
  // Nothing here outlives its folder.
  'core.fsync=none',
  'core.looseCompression=1',
  'apply.whitespace=nowarn',
  'apply.ignoreWhitespace=no',
  `attr.tree=${emptyTree}`,
  'diff.external=',
  'diff.renameLimit=1000',
  'fastimport.unpackLimit=1',
  'gc.auto=0',
  'maintenance.auto=false',
  'pack.compression=1',
  'protocol.allow=never',
  'submodule.recurse=false',
];

/** How programs that do not translate their messages tell of it */
const diskFullPattern = /No space left on device|Disk quota exceeded/;

function diskFullIn(workFolder: string, cause: unknown, why = ''): PyroError {
  return new PyroError('disk_full', `no room left in ${workFolder}, where pyro compares changes${why}`, {
    hint: `nothing was changed; free some space on the disk of that folder, for example with: ${hintCall('env.prune')}`,
    cause,
  });
}

export class GitLab implements AsyncDisposable {
  /** Private folder of this lab; disposing removes it */
  readonly folder: string;
  readonly #repository: string;
  readonly #context: WorkContext;

  private constructor(folder: string, context: WorkContext) {
    this.folder = folder;
    this.#repository = join(folder, 'lab.git');
    this.#context = context;
  }

  /** Makes an empty lab below `workFolder`, which must be private to the user. */
  static async create(workFolder: string, context: WorkContext): Promise<GitLab> {
    await mkdir(workFolder, { recursive: true, mode: 0o700 });
    const folder = await mkdtemp(join(workFolder, 'git-lab-')).catch((error: unknown) => {
      throw isDiskFull(error) ? diskFullIn(workFolder, error) : error;
    });
    const lab = new GitLab(folder, context);
    try {
      // What `git init` would make, less its templates, and without a process.
      for (const name of ['', 'info', 'objects', 'refs']) await mkdir(join(lab.#repository, name), { mode: 0o700 });
      await writeFile(join(lab.#repository, 'HEAD'), 'ref: refs/heads/unborn\n');
      await writeFile(
        join(lab.#repository, 'config'),
        '[core]\n\trepositoryformatversion = 0\n\tbare = true\n\tfilemode = true\n',
      );
      return lab;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw isDiskFull(error) ? diskFullIn(workFolder, error) : error;
    }
  }

  /** Runs `git`; throws `tool_failed` when it fails. */
  async run(args: readonly string[], call: GitCall = {}): Promise<CommandResult> {
    const result = await this.tryRun(args, call);
    if (result.exitCode !== 0) throw this.failure(args[0] ?? '', result);
    return result;
  }

  failure(command: string, result: CommandResult): PyroError {
    return failureOf('git', `git ${command}`, result);
  }

  /** As {@link run}, but a failure is a result, unless it is a full disk. */
  async tryRun(args: readonly string[], call: GitCall = {}): Promise<CommandResult> {
    const result = await this.#runOnce(args, call);
    if (result.exitCode !== 0 && diskFullPattern.test(result.stderr)) throw this.diskFull(result.stderr);
    return result;
  }

  /** Does what writes into the lab without Git. Throws `disk_full`. */
  async hold<T>(write: () => Promise<T>): Promise<T> {
    try {
      return await write();
    } catch (error) {
      throw isDiskFull(error) ? this.diskFull(error) : error;
    }
  }

  diskFull(cause: unknown, why = ''): PyroError {
    return diskFullIn(dirname(this.folder), cause, why);
  }

  async #runOnce(args: readonly string[], call: GitCall): Promise<CommandResult> {
    const given = [...settings, ...(call.settings ?? [])].flatMap((setting) => ['-c', setting]);
    const tree = this.file('empty');
    const hasTree = call.hasWorkTree === true;
    // What looks at a work tree takes plain paths anyway, and refuses to be told so.
    const manners = hasTree ? [`--work-tree=${tree}`] : ['--literal-pathspecs'];
    return await tryCommand('git', [`--git-dir=${this.#repository}`, '--no-pager', ...manners, ...given, ...args], {
      cwd: hasTree ? tree : this.folder,
      env: this.#environment(),
      isEnvWhole: true,
      signal: this.#context.signal,
      timeoutMs,
      ...(call.input === undefined ? {} : { input: call.input }),
      ...(call.outputFile === undefined ? {} : { stdoutFile: this.file(call.outputFile) }),
    });
  }

  /** Output as bytes, since names and contents need not be text. */
  async runForBytes(args: readonly string[], call: Omit<GitCall, 'outputFile'> = {}): Promise<Buffer> {
    await this.run(args, { ...call, outputFile: 'output' });
    return await this.read('output');
  }

  /** As {@link compare}, kept in a file of this name and read again each time: for any number of changes, without their lines */
  async compareInto(name: string, args: readonly string[]): Promise<() => AsyncGenerator<RawChange>> {
    await this.run(args, { outputFile: name });
    return () => rawChangesIn(this.file(name));
  }

  /** What a program of Git that compares two trees, with `-z --raw`, says */
  async compare(args: readonly string[], call: Omit<GitCall, 'outputFile'> = {}): Promise<RawChange[]> {
    await this.run(args, { ...call, outputFile: 'output' });
    return await readRawDiff(this.file('output'));
  }

  async read(name: string): Promise<Buffer> {
    return await readFile(this.file(name));
  }

  /** Attributes that hold in this lab; the ones of a guest's tree never do. */
  async setAttributes(lines: readonly string[]): Promise<void> {
    const text = lines.map((line) => `${line}\n`).join('');
    await this.hold(() => writeFile(join(this.#repository, 'info/attributes'), text));
  }

  /** Rules of what is ignored that hold for the whole lab. */
  async setExclude(rules: Buffer): Promise<void> {
    await this.hold(() => writeFile(join(this.#repository, 'info/exclude'), rules));
  }

  file(name: string): string {
    return join(this.folder, name);
  }

  /** Writes a file of the lab and gives its path. */
  async write(name: string, content: Uint8Array): Promise<string> {
    const path = this.file(name);
    await this.hold(() => writeFile(path, content));
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  #environment(): Record<string, string> {
    return {
      PATH: readVariable('PATH') ?? '/usr/local/bin:/usr/bin:/bin',
      HOME: this.folder,
      XDG_CONFIG_HOME: this.folder,
      LC_ALL: 'C',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_SYSTEM: '/dev/null',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_ATTR_NOSYSTEM: '1',
      GIT_TERMINAL_PROMPT: '0',
      GIT_NO_LAZY_FETCH: '1',
      GIT_NO_REPLACE_OBJECTS: '1',
      GIT_OPTIONAL_LOCKS: '0',
    };
  }
}

/** The pieces of output that Git ends with a zero byte each. */
export function splitRecords(bytes: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(0, start);
    records.push(bytes.subarray(start, end < 0 ? bytes.length : end));
    start = end < 0 ? bytes.length : end + 1;
  }
  return records;
}
