// Ports of a guest on 127.0.0.1 of the host.
import type { GuestClient } from '../../agent/guest-client.ts';
import { connectToGuest } from '../../agent/guest-network.ts';
import { PublishedPort } from '../../network/publish.ts';

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
