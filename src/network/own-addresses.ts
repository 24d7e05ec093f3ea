// Addresses of this machine's own interfaces: services there are not meant for guests.
import { networkInterfaces } from 'node:os';
import { parseAddress } from './address.ts';

export function ownAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  return all.flatMap(({ address }) => parseAddress(address.split('%')[0] ?? '')?.text ?? []);
}
