// The published ports of one service: opened together, closed together.
import type { GuestClient } from '../agent/guest-client.ts';
import type { PublishedPort } from '../network/publish.ts';
import { publishPort } from './publish.ts';
import type { PublishedPortView } from './service-types.ts';

export class ServicePorts {
  #open: PublishedPort[] = [];

  views(): PublishedPortView[] {
    return this.#open.map(({ hostPort, guestPort }) => ({
      host: '127.0.0.1',
      host_port: hostPort,
      guest_port: guestPort,
      protocol: 'tcp',
    }));
  }

  /** All or none. Throws `port_taken`. */
  async open(
    client: GuestClient,
    ports: readonly { readonly host_port: number | null; readonly guest_port: number }[],
  ): Promise<void> {
    await this.close();
    await using undo = new AsyncDisposableStack();
    const opened: PublishedPort[] = [];
    for (const { host_port: hostPort, guest_port: guestPort } of ports) {
      opened.push(undo.use(await publishPort(client, hostPort ?? undefined, guestPort)));
    }
    undo.move();
    this.#open = opened;
  }

  async close(): Promise<void> {
    const ports = this.#open;
    this.#open = [];
    for (const port of ports) await port[Symbol.asyncDispose]();
  }
}
