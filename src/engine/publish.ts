// Ports of a guest on 127.0.0.1 of the host: what a service asks for.
import type { GuestClient } from '../agent/guest-client.ts';
import { connectToGuest } from '../agent/guest-network.ts';
import { PublishedPort } from '../network/publish.ts';
import { PyroError } from '../shared/errors.ts';

export interface PortRequest {
  /** Any free one when absent */
  readonly hostPort: number | undefined;
  readonly guestPort: number;
}

/** Opens a port of the host that leads to one of the guest, until it is disposed. Throws `port_taken`. */
export async function publishPort(
  client: GuestClient,
  hostPort: number | undefined,
  guestPort: number,
): Promise<PublishedPort> {
  return await PublishedPort.open({
    hostPort,
    guestPort,
    connect: async (port) => await connectToGuest(client, port),
  });
}

/** `8080:80` is port 80 of the guest at port 8080 of the host, `80` is at any free one. Throws `usage`. */
export function parsePort(text: string): PortRequest {
  const match = /^(?:(\d{1,5}):)?(\d{1,5})$/.exec(text);
  const hostPort = match?.[1] === undefined ? undefined : Number(match[1]);
  const guestPort = Number(match?.[2] ?? 0);
  const isHostPortFit = hostPort === undefined || (hostPort >= 1025 && hostPort <= 65_535);
  if (match === null || guestPort < 1 || guestPort > 65_535 || !isHostPortFit) {
    throw new PyroError('usage', `published_ports: ${JSON.stringify(text)} is not HOST:GUEST or GUEST`, {
      hint: 'a host port is 1025 to 65535, a guest port 1 to 65535; example: 8080:80',
    });
  }
  return { hostPort, guestPort };
}
