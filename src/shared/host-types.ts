// Chat hosts as the operations see them: what can be asked of their configuration, and what comes back.
import type { CallContext } from './call-context.ts';
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

export interface HostChange {
  readonly host: HostName;
  readonly scope: HostScope;
  readonly config_file: string;
  /** What the host runs */
  readonly server_command: string[];
  readonly action: 'added' | 'updated' | 'removed' | 'mended' | 'unchanged';
  /** False for a dry run, and where nothing changed */
  readonly written: boolean;
  readonly method: 'file' | 'none';
  readonly diff: string;
  readonly backup: string | null;
}

export interface ConnectResult {
  readonly host: HostName;
  readonly dry_run: boolean;
  readonly changes: HostChange[];
  /** What the host itself says of the server afterwards; null when it was not asked */
  readonly verification: string | null;
  readonly notes: string[];
}

export interface ConfigSnippet {
  readonly host: HostName;
  readonly config_file: string;
  readonly format: 'json' | 'jsonc' | 'toml';
  readonly snippet: string;
  /** The same by the host's own program, where it has one for that */
  readonly host_command: string | null;
}

export interface HostCheck {
  readonly name: string;
  readonly status: 'ok' | 'warn' | 'fail';
  readonly message: string;
  /** Exact command that mends it */
  readonly fix: string | null;
}

export interface HostReport {
  readonly host: HostName;
  readonly installed: boolean;
  readonly version: string | null;
  readonly configured: boolean;
  readonly config_file: string | null;
  readonly scope: HostScope | null;
  readonly checks: HostCheck[];
}

export interface Hosts {
  readonly connect: (request: ConnectRequest, context: CallContext) => Promise<ConnectResult>;
  readonly disconnect: (request: DisconnectRequest) => Promise<ConnectResult>;
  readonly printConfig: (request: ConnectRequest) => Promise<ConfigSnippet>;
  readonly doctor: (hosts: readonly HostName[], context: CallContext) => Promise<HostReport[]>;
  readonly repair: (request: RepairRequest, context: CallContext) => Promise<ConnectResult>;
}
