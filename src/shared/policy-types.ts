// What a caller may name of the host, and where its project lies: decided by the front, kept by the engine.

/** What workspaces are made from that name no environment */
export const defaultEnvironment = 'debian:12';

/** `any`: a person at the command line. Otherwise the folders at and below which paths may lie, absolute. */
export type HostPathPolicy = 'any' | { readonly folders: readonly string[] };

export type OriginKind = 'project_path' | 'repo_url' | 'cwd' | 'roots' | 'explicit' | 'none';

export interface ProjectSource {
  /** Absolute folder on the host */
  readonly path: string;
  readonly originKind: OriginKind;
  /** What the person gave: a URL with its ref, a path; for the result */
  readonly originRef: string | null;
  /** Ignored paths that go in all the same */
  readonly includes: readonly string[];
  /** Environment for workspaces that name none */
  readonly environment: string | null;
}

/**
 * What a guest gets of this machine's package managers: nothing; their settings and a way to the hosts in them; that
 * with the credentials for those hosts. Each has all of the one before.
 */
export const packageSourceKinds = ['none', 'host', 'host+credentials'] as const;
export type PackageSourceKind = (typeof packageSourceKinds)[number];

/** The way out of a guest, and, with it or not, ports of its services on this machine. Each has all of the one before. */
export const networkPolicies = ['off', 'egress', 'egress+published-ports'] as const;
export type NetworkPolicy = (typeof networkPolicies)[number];

/** What a server permits: a way out of its guests, ports of their services on 127.0.0.1 of this machine, both, or neither. */
export const networkCeilings = ['off', 'published-ports', 'egress', 'egress+published-ports'] as const;
export type NetworkCeilingPolicy = (typeof networkCeilings)[number];

/** The way out that a workspace has where a call asks for none: a port is a way in, which its service asks for. */
export function wayOutOf(policy: NetworkCeilingPolicy): Exclude<NetworkCeilingPolicy, 'published-ports'> {
  return policy === 'published-ports' ? 'off' : policy;
}

/** True where services may have ports of this machine. */
export function permitsPorts(policy: NetworkCeilingPolicy): boolean {
  return policy === 'published-ports' || policy === 'egress+published-ports';
}

/** The most that a workspace of a server may reach, and what it gets unless it asks for less. */
export interface NetworkCeiling {
  readonly policy: NetworkCeilingPolicy;
  /** Hosts that may be reached, `host`, `*.domain` or `host:port`; none given: public addresses */
  readonly allow: readonly string[];
  readonly packageSources: PackageSourceKind;
}
