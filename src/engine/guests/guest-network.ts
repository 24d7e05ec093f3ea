// The way out of a workspace's guest: opened for each guest that comes, closed when it goes, one log for all of them.
import type { GuestClient } from '../../agent/guest-client.ts';
import { enableGuestNetwork } from '../../agent/guest-network.ts';
import type { DeniedConnection } from '../../contract/commands.ts';
import type { NetworkGrant } from '../../contract/records.ts';
import type { WorkspaceView } from '../../contract/workspaces.ts';
import { type Attempt, ConnectionLog } from '../../network/connection-log.ts';
import { Egress } from '../../network/egress.ts';
import { guestVariables } from '../../network/guest-variables.ts';
import type { PackageSources } from '../../network/package-sources.ts';
import { grantOff, intersectGrants, makeGrant, widenGrant } from '../../network/policy.ts';
import { PyroError } from '../../shared/errors.ts';
import {
  type NetworkCeiling,
  type PackageSourceKind,
  packageSourceKinds,
  wayOutOf,
} from '../../shared/policy-types.ts';
import { KeptWork } from '../../shared/shared-work.ts';
import { handPackageSources } from './package-hand-over.ts';

/** What a call asks for, within what the server permits. Throws `usage`, or `network_refused` for more than that. */
export function grantFor(
  policy: WorkspaceView['network_policy'],
  allow: readonly string[],
  ceiling: NetworkCeiling | undefined,
): NetworkGrant {
  if (policy === 'off') return grantOff;
  const wish = makeGrant(policy, asList(allow));
  if (ceiling === undefined) return wish;
  const most = makeGrant(wayOutOf(ceiling.policy), asList(ceiling.allow));
  const granted = intersectGrants(most, allow.length === 0 ? makeGrant(policy, asList(ceiling.allow)) : wish);
  if (granted.policy !== policy) {
    throw new PyroError('network_refused', `this server allows the network policy ${ceiling.policy}, not ${policy}`, {
      hint: 'ask for less, or let the person who runs the server start it with --network-policy',
    });
  }
  return granted;
}

/** What a call asks for of the host's package managers, within what the server permits. Throws `network_refused`. */
export function permitPackageSources(wish: PackageSourceKind, ceiling: NetworkCeiling | undefined): PackageSourceKind {
  const rank = (kind: PackageSourceKind): number => packageSourceKinds.indexOf(kind);
  if (ceiling === undefined || rank(wish) <= rank(ceiling.packageSources)) return wish;
  throw new PyroError('network_refused', `this server allows package_sources ${ceiling.packageSources}, not ${wish}`, {
    hint: `ask for less, or let the person who runs the server start it with --package-sources ${wish}`,
  });
}

/** What results show of refused attempts: the last few, each target once for each reason. */
export function deniedConnections(attempts: readonly Attempt[]): DeniedConnection[] {
  const byText = new Map<string, DeniedConnection>();
  for (const { name, port, rule, reason } of attempts) {
    const denied = { target: port === null ? name : `${name}:${port}`, rule, reason: reason ?? 'refused' };
    const text = JSON.stringify(denied);
    byText.delete(text);
    byText.set(text, denied);
  }
  return [...byText.values()].slice(-20);
}

/** Who names no hosts has no list, which is not the same as an empty one. */
function asList(allow: readonly string[]): readonly string[] | undefined {
  return allow.length === 0 ? undefined : allow;
}

export class GuestNetwork {
  readonly logPath: string;
  readonly #grant: NetworkGrant;
  readonly #packageKind: PackageSourceKind;
  readonly #open = new Map<GuestClient, Egress>();
  readonly #log = new KeptWork<ConnectionLog>();
  #packages: PackageSources | undefined;

  readonly #onAttempt: (attempt: Attempt) => void;

  /** `onAttempt` hears of each connection that has ended or did not come about. */
  constructor(
    logPath: string,
    grant: NetworkGrant,
    packageKind: PackageSourceKind,
    onAttempt: (attempt: Attempt) => void = () => undefined,
  ) {
    this.#onAttempt = onAttempt;
    this.logPath = logPath;
    this.#grant = grant;
    this.#packageKind = packageKind;
  }

  get isOn(): boolean {
    return this.#grant.policy !== 'off' || this.#packageKind !== 'none';
  }

  /** Variables that lead programs to the way out; none without one. */
  get variables(): Readonly<Record<string, string>> {
    return this.isOn ? { ...guestVariables, ...this.#packages?.env } : {};
  }

  /** Credentials that were handed over, which nothing may show. */
  get secretValues(): readonly string[] {
    return this.#packages?.secrets ?? [];
  }

  /** Opens the way out of a guest that has just come up or was taken over. */
  async open(client: GuestClient, socketPath: string, signal: AbortSignal): Promise<void> {
    if (!this.isOn) return;
    // Read anew for each guest: the settings of the host may have changed, and of their secrets nothing is kept on a disk.
    if (this.#packageKind !== 'none') this.#packages = await handPackageSources(client, this.#packageKind, signal);
    const grant = this.#packages === undefined ? this.#grant : widenGrant(this.#grant, this.#packages.allow);
    const { magic } = await enableGuestNetwork(client, { signal });
    const log = await this.#log.join(signal, () => ConnectionLog.open(this.logPath, undefined, this.#onAttempt));
    const routes = this.#packages?.routes;
    this.#open.set(client, await Egress.open({ socketPath, magic, grant, log, signal, routes }));
  }

  async close(client: GuestClient): Promise<void> {
    const egress = this.#open.get(client);
    this.#open.delete(client);
    await egress?.[Symbol.asyncDispose]();
  }

  async closeAll(): Promise<void> {
    for (const client of [...this.#open.keys()]) await this.close(client);
  }

  /** To ask {@link refusedSince} later. */
  async mark(): Promise<number> {
    return this.#log.value?.lastSequence ?? 0;
  }

  async refusedSince(mark: number): Promise<readonly Attempt[]> {
    return this.#log.value?.refusedSince(mark) ?? [];
  }
}
