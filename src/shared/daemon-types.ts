// What can be asked of the daemon itself, as commands see it.

export interface DaemonGuest {
  readonly workspace_id: string;
  readonly pid: number;
}

export interface DaemonStatus {
  readonly pid: number;
  readonly version: string;
  readonly protocol: number;
  /** Seconds since 1970 */
  readonly started_at: number;
  readonly socket: string;
  readonly log: string;
  readonly draining: boolean;
  /** Calls that run now */
  readonly calls: number;
  readonly guests: readonly DaemonGuest[];
  /** Memory that the running guests were given, `bytes` */
  readonly guest_memory_bytes: number;
  /** Memory of the daemon's own process, `bytes` */
  readonly memory_bytes: number;
  /** How long nothing may happen before it ends, `s` */
  readonly idle_seconds: number;
}

export interface DaemonControl {
  /** Undefined when none runs. Throws `daemon_unresponsive`. */
  readonly status: (signal: AbortSignal) => Promise<DaemonStatus | undefined>;
  /** Ends the daemon and waits for that, by force also one that does not answer; guests run on. False when none ran. */
  readonly stop: (request: { readonly isForced: boolean; readonly signal: AbortSignal }) => Promise<boolean>;
}
