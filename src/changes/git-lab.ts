// A throw-away bare repository in which trees of a guest are compared: no path of the guest is ever one of the host.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type CommandResult, captureBytes, tryCommand } from '../system/command.ts';
import { readVariable } from '../system/environment-variables.ts';

/** Nothing of the person's, the system's or the guest's settings reaches Git here. */
const settings = [
  ...['-c', 'core.attributesFile=/dev/null', '-c', 'core.hooksPath=/dev/null', '-c', 'core.fsmonitor=false'],
  ...['-c', 'protocol.allow=never', '-c', 'core.bigFileThreshold=512m', '-c', 'core.protectHFS=true'],
  ...['-c', 'core.protectNTFS=true', '-c', 'diff.renameLimit=2000', '-c', 'gc.auto=0', '-c', 'core.compression=1'],
];

export class GitLab implements AsyncDisposable {
  readonly folder: string;
  readonly #signal: AbortSignal;

  private constructor(folder: string, signal: AbortSignal) {
    this.folder = folder;
    this.#signal = signal;
  }

  /** A new one in a private folder of the caller's. */
  static async create(parent: string, signal: AbortSignal): Promise<GitLab> {
    await mkdir(parent, { recursive: true, mode: 0o700 });
    const lab = new GitLab(await mkdtemp(join(parent, 'lab-')), signal);
    await lab.bytes(['init', '-q', '--bare', '--template=', lab.folder]);
    await mkdir(join(lab.folder, 'info'), { recursive: true });
    return lab;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Output of git as bytes. Throws `tool_failed`. */
  async bytes(args: readonly string[], input?: Uint8Array): Promise<Buffer> {
    const common = { env: this.#environment(), isEnvWhole: true, cwd: this.folder, signal: this.#signal };
    return await captureBytes('git', [...settings, ...args], { ...common, ...(input === undefined ? {} : { input }) });
  }

  async line(args: readonly string[]): Promise<string> {
    return (await this.bytes(args)).toString('latin1').trim();
  }

  /** Git with its outcome as the answer; output may go to a file, input may be a stream. */
  async attempt(
    args: readonly string[],
    options: { readonly input?: AsyncIterable<Uint8Array>; readonly stdoutFile?: string } = {},
  ): Promise<CommandResult> {
    const { input, stdoutFile } = options;
    return await tryCommand('git', [...settings, ...args], {
      env: this.#environment(),
      isEnvWhole: true,
      cwd: this.folder,
      signal: this.#signal,
      ...(input === undefined ? {} : { input: Readable.from(input, { objectMode: false }) }),
      ...(stdoutFile === undefined ? {} : { stdoutFile }),
    });
  }

  /** Paths, as patterns, that are shown as binary whatever they contain. */
  async markBinary(patterns: readonly string[]): Promise<void> {
    await writeFile(this.path('info/attributes'), patterns.map((pattern) => `${pattern} -diff\n`).join(''));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  #environment(): Record<string, string> {
    return {
      PATH: readVariable('PATH') ?? '/usr/bin:/bin',
      HOME: this.folder,
      LC_ALL: 'C',
      GIT_DIR: this.folder,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_ATTR_NOSYSTEM: '1',
      GIT_TERMINAL_PROMPT: '0',
      GIT_NO_LAZY_FETCH: '1',
    };
  }
}
