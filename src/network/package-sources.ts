// Settings of this machine's package managers, read when asked for, as files and variables of a guest and what it may reach.
import { type AddressKind, kindOf, parseAddress } from './address.ts';
import { ownAddresses } from './own-addresses.ts';
import { readApt } from './package-apt.ts';
import { readCargo } from './package-cargo.ts';
import { handCertificates, readCertificates } from './package-certificates.ts';
import { Findings, type GuestFile } from './package-findings.ts';
import { readGo } from './package-go.ts';
import { readNpm } from './package-npm.ts';
import { readPip } from './package-python.ts';
import { type HostSettings, hostSettings } from './package-settings.ts';
import type { Routes } from './upstream.ts';

export interface PackageSources {
  /** Paths of the files and plain settings, nothing secret: what starts a service is kept on the disk of the host */
  readonly env: Readonly<Record<string, string>>;
  /** All of them belong into memory */
  readonly files: readonly GuestFile[];
  /** Entries of an allow-list for all that the settings name */
  readonly allow: readonly string[];
  /** What of it goes through a proxy of this machine */
  readonly routes: Routes;
  /** Values that must not be shown */
  readonly secrets: readonly string[];
}

export interface PackageRequest {
  /** Release of the guest, as its os-release names it, for apt */
  readonly codename: string | undefined;
  readonly hasCredentials: boolean;
}

/** Kinds of addresses that names never open by themselves; metadata of a cloud stays closed. */
const pinnedKinds: readonly AddressKind[] = ['loopback', 'link_local', 'reserved'];

/** Gathers everything; what is not set up on this machine is left out. */
export async function readPackageSources(
  request: PackageRequest,
  host: HostSettings = hostSettings,
): Promise<PackageSources> {
  const found = new Findings(request.hasCredentials, {
    http: host.variable('http_proxy'),
    https: host.variable('https_proxy'),
    direct: host.variable('no_proxy'),
  });
  const certificates = await readCertificates(host);
  const certificatesPath = handCertificates(found, certificates);
  await Promise.all([
    readNpm(host, found),
    readPip(host, found, certificates),
    readGo(host, found),
    readCargo(host, found, certificates),
    readApt(host, found, request.codename, certificatesPath),
  ]);
  return {
    env: found.env,
    files: found.files,
    allow: [...found.allow, ...(await pinnedNames(host, found.allow))].sort(),
    routes: found.routes,
    secrets: found.secrets,
  };
}

/**
 * A name by itself never opens the loopback, a reserved address or another one of this machine. Those that the user's own
 * settings name may lead there today, as behind a gateway: then that address is opened for that name. A host that a server
 * sends on to gets no more than an address that the user's have.
 */
async function pinnedNames(host: HostSettings, entries: ReadonlySet<string>): Promise<string[]> {
  const own = ownAddresses();
  const found = await Promise.all(
    [...entries].map(async (entry) => {
      const [, prefix, name = ''] = /^(public )?([a-z0-9._-]+):\d+$/.exec(entry) ?? [];
      const texts = name === '' || parseAddress(name) !== undefined ? [] : await host.lookup(name);
      const addresses = texts.flatMap((text) => parseAddress(text) ?? []);
      const closed = addresses.filter((address) => pinnedKinds.includes(kindOf(address)) || own.includes(address.text));
      const authority = entry.slice((prefix ?? '').length);
      return { isOfServer: prefix !== undefined, pins: closed.map(({ text }) => ({ authority, text })) };
    }),
  );
  const named = found.filter(({ isOfServer }) => !isOfServer).flatMap(({ pins }) => pins);
  const ofServers = found.filter(({ isOfServer }) => isOfServer).flatMap(({ pins }) => pins);
  const sent = ofServers.filter(({ text }) => named.some((pin) => pin.text === text));
  return [...named, ...sent].map(({ authority, text }) => `${authority} at ${text}`);
}
