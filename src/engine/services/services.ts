// The services of a workspace by name: started, found again after a daemon was replaced, brought back with their guest.
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { GuestClient } from '../../agent/guest-client.ts';
import { type ServiceRecord, serviceNamePattern, serviceRecordSchema } from '../../contract/records.ts';
import type { SecretSet } from '../../secrets/secret-set.ts';
import { isPyroError, PyroError } from '../../shared/errors.ts';
import { ExclusiveNames } from '../../shared/exclusive-names.ts';
import { hintCall } from '../../shared/hint-words.ts';
import { readJson } from '../../system/files.ts';
import { makeFolder } from '../../system/folders.ts';
import type { LossReason } from '../guests/tenant-types.ts';
import { recordEvent } from '../output/events.ts';
import { Service } from './service.ts';
import { isAlive } from './service-record.ts';

export const mostServices = 64;

export class Services {
  readonly #folder: string;
  readonly #eventsPath: string;
  readonly #secrets: SecretSet;
  readonly #services = new Map<string, Service>();
  readonly #starting = new ExclusiveNames();

  private constructor(folder: string, eventsPath: string, secrets: SecretSet) {
    this.#folder = folder;
    this.#eventsPath = eventsPath;
    this.#secrets = secrets;
  }

  static async open(folder: string, eventsPath: string, secrets: SecretSet): Promise<Services> {
    const services = new Services(folder, eventsPath, secrets);
    await makeFolder(folder);
    for (const name of await readdir(folder)) {
      if (!serviceNamePattern.test(name)) continue;
      const record = await readJson(join(folder, name, 'service.json'), serviceRecordSchema).catch(() => undefined);
      if (record?.name === name) services.#services.set(name, await services.#open(record));
    }
    return services;
  }

  get count(): number {
    return this.#services.size;
  }

  get runningCount(): number {
    return this.#alive().length;
  }

  /** Throws `service_unknown`. */
  get(name: string): Service {
    const service = this.#services.get(name);
    if (service === undefined) {
      throw new PyroError('service_unknown', `there is no service ${JSON.stringify(name.slice(0, 64))}`, {
        hint: `list the services of a workspace with: ${hintCall('workspace.service.list')}`,
      });
    }
    return service;
  }

  /** By name. */
  all(): Service[] {
    return [...this.#services.values()].sort((a, b) => (a.record.name < b.record.name ? -1 : 1));
  }

  /** Starts a service, replacing an ended one with the same name and its logs. Throws `service_running`. */
  async start(client: GuestClient, record: ServiceRecord): Promise<Service> {
    const { name } = record;
    using place = this.#starting.take(name);
    if (place === undefined) {
      throw new PyroError('service_running', `the service ${name} is being started by another call`, {
        hint: `check its state with: ${hintCall('workspace.service.status', { service_name: name })}`,
      });
    }
    const earlier = this.#services.get(name);
    if (earlier !== undefined && isAlive(earlier.record)) {
      throw new PyroError('service_running', `the service ${name} is already running`, {
        hint: `stop it first: ${hintCall('workspace.service.stop', { service_name: name })}`,
      });
    }
    if (earlier === undefined && this.#starting.countWith(this.#services.keys()) > mostServices) {
      throw new PyroError('limit_reached', `the workspace already has ${mostServices} services`, {
        hint: 'reuse the name of a service that has ended',
      });
    }
    const folder = join(this.#folder, name);
    // One that has ended may still be recording that.
    await earlier?.settle();
    await earlier?.close();
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const service = await this.#open({ ...record, ports: withEarlierPorts(record.ports, earlier?.record.ports ?? []) });
    this.#services.set(name, service);
    try {
      await service.launch(client, false);
    } catch (error) {
      this.#services.delete(name);
      await service.close();
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
    return service;
  }

  /** Ids in the guest of the running ones. */
  get processes(): string[] {
    return this.#alive().flatMap(({ record }) => record.process ?? []);
  }

  async resume(client: GuestClient): Promise<void> {
    await this.settle();
    for (const service of this.#alive()) {
      try {
        await service.resume(client);
      } catch (error) {
        if (isPyroError(error, 'guest_unreachable')) throw error;
        await service.lose('guest_ended');
      }
    }
  }

  /** Those with the policy `always` restart; one that cannot says why. */
  async restart(client: GuestClient): Promise<void> {
    for (const service of this.all()) {
      const { is_wanted: isWanted, restart_policy: policy, state } = service.record;
      if (!isWanted || policy !== 'always' || state !== 'stopped') continue;
      try {
        await service.launch(client, true);
      } catch (error) {
        if (isPyroError(error, 'guest_unreachable')) throw error;
        await service.stayAway(error);
      }
    }
  }

  async quiesce(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#alive().map((service) => service.quiesce(signal)));
  }

  async settle(): Promise<void> {
    await Promise.all(this.all().map((service) => service.settle()));
  }

  async markAllLost(reason: LossReason): Promise<void> {
    await Promise.all(this.all().map((service) => service.lose(reason)));
  }

  async #open(record: ServiceRecord): Promise<Service> {
    const onEvent = (detail: string): void => void this.#note(record.name, detail);
    return await Service.open({ folder: join(this.#folder, record.name), secrets: this.#secrets, onEvent }, record);
  }

  /** What happened is in the record, too; a full disk must not end a service. */
  async #note(name: string, detail: string): Promise<void> {
    const text = this.#secrets.maskText(`${name} ${detail}`);
    await recordEvent(this.#eventsPath, 'service', text).catch(() => undefined);
  }

  #alive(): Service[] {
    return this.all().filter(({ record }) => isAlive(record));
  }
}

/** A restarted service is found where it was, even if any port would do. */
function withEarlierPorts(ports: ServiceRecord['ports'], earlier: ServiceRecord['ports']): ServiceRecord['ports'] {
  return ports.map((port) => ({
    ...port,
    given_port: earlier.find(({ guest_port: guestPort }) => guestPort === port.guest_port)?.given_port ?? null,
  }));
}
