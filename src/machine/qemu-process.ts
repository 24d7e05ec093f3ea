// One supervised QEMU process: started in a session of its own, tied to our life, its console kept for the error message.
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { PyroError } from '../shared/errors.ts';
import { findProgram } from '../system/command.ts';

const keptConsole = 64 * 1024;
const quitDelayMs = 2000;

export class QemuProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exit: Promise<void>;
  #console = '';
  #stderr = '';
  #hasEnded = false;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#console = (this.#console + text).slice(-keptConsole);
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-keptConsole);
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    child.once('error', (error) => {
      this.#stderr += error.message;
      this.#hasEnded = true;
      resolve();
    });
    child.once('exit', () => {
      this.#hasEnded = true;
      resolve();
    });
    this.#exit = promise;
  }

  /**
   * Starts QEMU. `stateFd` becomes its file descriptor 3.
   * setpriv ties QEMU to us, so that even kill -9 of pyro leaves no guest behind.
   */
  static async start(qemu: string, args: readonly string[], stateFd?: number): Promise<QemuProcess> {
    const setpriv = await findProgram('setpriv');
    const command = setpriv === undefined ? [qemu, ...args] : [setpriv, '--pdeathsig', 'KILL', qemu, ...args];
    const [file = qemu, ...rest] = command;
    const child = spawn(file, rest, {
      detached: true,
      cwd: '/',
      stdio: stateFd === undefined ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'pipe', 'pipe', stateFd],
    });
    return new QemuProcess(child);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Settles when the process has ended. */
  get ended(): Promise<void> {
    return this.#exit;
  }

  /** Last lines of the guest's console and of QEMU's own messages. */
  lastWords(): string {
    const lines = [...this.#console.split('\n').slice(-12), ...this.#stderr.split('\n').slice(-6)];
    return lines
      .map((line) => printable(line).trimEnd())
      .filter((line) => line !== '')
      .join('\n');
  }

  /** Error for a guest that did not come up, with its last words. */
  bootError(why: string, cause?: unknown): PyroError {
    const words = this.lastWords();
    return new PyroError('guest_boot_failed', `${why}${words === '' ? '' : `; its last words:\n${words}`}`, {
      hint: 'run pyro doctor; with --cold the guest boots without its template',
      cause,
    });
  }

  /** SIGTERM, after a delay SIGKILL, then waits for the end. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#hasEnded) return;
    this.#child.kill('SIGTERM');
    const timer = new AbortController();
    await Promise.race([this.#exit, sleep(quitDelayMs, undefined, { signal: timer.signal }).catch(() => undefined)]);
    timer.abort();
    if (!this.#hasEnded) this.#child.kill('SIGKILL');
    await this.#exit;
  }

  /** Ends a throw-away guest at once: nothing in it is wanted any more. */
  async kill(): Promise<void> {
    if (!this.#hasEnded) this.#child.kill('SIGKILL');
    await this.#exit;
  }
}

/** The guest chooses what stands on its console: no control character reaches a terminal. */
function printable(line: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: removing them is the purpose
  return line.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '').replace(/[\u0000-\u001f\u007f-\u009f]/g, '');
}
