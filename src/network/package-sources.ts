// Settings of this machine's package managers, read when asked for, as files and variables of a guest and what it may reach.
import { kindOf, parseAddress } from './address.ts';
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
  const local = await Promise.all([...found.allow].map((entry) => localAddresses(host, entry)));
  return {
    env: found.env,
    files: found.files,
    allow: [...found.allow, ...local.flat()].sort(),
    routes: found.routes,
    secrets: found.secrets,
  };
}

/**
 * A name by itself never opens the loopback or another address of this machine. One that the user's own settings name
 * may lead there today: then that address is opened, on that port, and no other.
 */
async function localAddresses(host: HostSettings, entry: string): Promise<string[]> {
  const match = /^([a-z0-9._-]+):(\d+)$/.exec(entry);
  const name = match?.[1];
  if (name === undefined || parseAddress(name) !== undefined) return [];
  const addresses = (await host.lookup(name)).flatMap((text) => parseAddress(text) ?? []);
  const own = ownAddresses();
  return addresses
    .filter((address) => ['loopback', 'link_local'].includes(kindOf(address)) || own.includes(address.text))
    .map(({ family, text }) => `${family === 6 ? `[${text}]` : text}:${match?.[2] ?? ''}`);
}
