// The published ports of one service: opened together, closed together.
import type { GuestClient } from '../../agent/guest-client.ts';
import type { ServiceRecord } from '../../contract/records.ts';
import type { PublishedPortView } from '../../contract/services.ts';
import type { PublishedPort } from '../../network/publish.ts';
import { isPyroError } from '../../shared/errors.ts';
import { publishPort } from '../guests/publish.ts';

type Ports = ServiceRecord['ports'];

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

  /** All or none; gives them with the ports that they got. Throws `port_taken`. */
  async open(client: GuestClient, ports: Ports): Promise<Ports> {
    await this.close();
    await using undo = new AsyncDisposableStack();
    const opened: PublishedPort[] = [];
    for (const port of ports) opened.push(undo.use(await openPort(client, port)));
    undo.move();
    this.#open = opened;
    return ports.map((port, index) => ({ ...port, given_port: opened[index]?.hostPort ?? null }));
  }

  async close(): Promise<void> {
    const ports = this.#open;
    this.#open = [];
    for (const port of ports) await port[Symbol.asyncDispose]();
  }
}

async function openPort(client: GuestClient, port: Ports[number]): Promise<PublishedPort> {
  const { host_port: wanted, guest_port: guestPort, given_port: given } = port;
  if (wanted !== null || given === null) return await publishPort(client, wanted ?? undefined, guestPort);
  try {
    return await publishPort(client, given, guestPort);
  } catch (error) {
    // Nobody asked for this particular one: another is better than none.
    if (!isPyroError(error, 'port_taken')) throw error;
    return await publishPort(client, undefined, guestPort);
  }
}
