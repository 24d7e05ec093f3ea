// Chat hosts: which there are, and what can be asked of their configuration.
import type { ServerOptions } from './server-options.ts';

export const hostNames = ['claude-code', 'codex', 'opencode'] as const;
export type HostName = (typeof hostNames)[number];

export const hostScopes = ['local', 'user', 'project'] as const;
export type HostScope = (typeof hostScopes)[number];

export interface ConnectRequest {
  readonly host: HostName;
  /** The host's own default when absent */
  readonly scope: HostScope | undefined;
  readonly server: ServerOptions;
  /** True for the form that needs no installed package */
  readonly isNpx: boolean;
  /** True when the host may run every tool without asking */
  readonly isApproved: boolean;
  /** True when the entry is of no use without the host itself */
  readonly needsHost: boolean;
  readonly isDryRun: boolean;
}

export interface RepairRequest {
  readonly host: HostName;
  /** The only scope that keeps an entry; every scope when absent */
  readonly scope: HostScope | undefined;
  /** True when a file that does not parse may be mended */
  readonly isForced: boolean;
  readonly isDryRun: boolean;
}

export interface DisconnectRequest {
  readonly host: HostName;
  /** The only scope that loses its entry; every scope when absent */
  readonly scope: HostScope | undefined;
  readonly isDryRun: boolean;
}
