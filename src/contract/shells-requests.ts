// Shells as operations see them.
import type { CallContext } from '../shared/call-context.ts';

export interface ShellOpenRequest {
  readonly cwd: string | undefined;
  readonly cols: number;
  readonly rows: number;
  readonly env: Readonly<Record<string, string>>;
  /** Secrets of the workspace, each `NAME` or `NAME=VARIABLE` */
  readonly secretEnv: readonly string[];
}

export interface ShellReadRequest {
  /** Byte offset of the raw stream */
  readonly cursor: number;
  /** Most bytes of the raw stream that are read, so no more characters either */
  readonly maxChars: number;
  /** True for text with all escape sequences resolved */
  readonly isPlain: boolean;
  /** `screen`: the present screen as lines; `redraw`: what draws it on a terminal */
  readonly view: 'stream' | 'screen' | 'redraw';
  readonly waitForIdleMs: number | undefined;
  /** A text, or a regular expression between slashes */
  readonly waitFor: string | undefined;
  readonly waitMs: number;
}

/** Times are seconds since 1970, with fractions. */
export interface ShellView {
  readonly workspace_id: string;
  readonly shell_id: string;
  readonly program: string;
  readonly cwd: string;
  readonly cols: number;
  readonly rows: number;
  readonly state: 'running' | 'stopped';
  readonly started_at: number;
  readonly ended_at: number | null;
  readonly exit_code: number | null;
  /** True when its guest ended before it did */
  readonly lost: boolean;
  /** Length of the raw stream so far, which is also the cursor of its end */
  readonly output_bytes: number;
  readonly execution_mode: 'guest';
}

export interface ScreenView {
  readonly lines: string[];
  /** Counted from 0 */
  readonly cursor_row: number;
  readonly cursor_col: number;
  /** True while a full-screen program has its own screen */
  readonly is_alternate: boolean;
}

export interface ShellReadResult extends ShellView {
  readonly cursor: number;
  readonly next_cursor: number;
  readonly output: string;
  /** True when more output follows next_cursor */
  readonly truncated: boolean;
  readonly plain: boolean;
  readonly is_utf8: boolean;
  /** Bytes at the cursor that are no longer kept */
  readonly dropped_bytes: number;
  readonly wait_for_idle_ms: number | null;
  /** Whether wait_for was seen; null without it */
  readonly matched: boolean | null;
  readonly screen: ScreenView | null;
}

export interface WorkspaceShells {
  open(id: string, request: ShellOpenRequest, call: CallContext): Promise<ShellView & { readonly restarted: boolean }>;
  read(id: string, shell: string, request: ShellReadRequest, call: CallContext): Promise<ShellReadResult>;
  write(
    id: string,
    shell: string,
    request: { readonly input: string; readonly appendsNewline: boolean },
    call: CallContext,
  ): Promise<ShellView & { readonly input_length: number }>;
  resize(id: string, shell: string, size: { cols: number; rows: number }, call: CallContext): Promise<ShellView>;
  signal(id: string, shell: string, name: string, call: CallContext): Promise<ShellView>;
  /** Ends it and forgets it with its output */
  close(id: string, shell: string, call: CallContext): Promise<ShellView>;
  list(id: string): Promise<ShellView[]>;
}
