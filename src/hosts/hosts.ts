// The door to the configuration of chat hosts; each job is loaded when it is asked for.
import type { Hosts } from '../shared/host-types.ts';

/** `folder` is where the user stands: a host keeps some entries per project. */
export function createHosts(folder: string = process.cwd()): Hosts {
  return {
    connect: async (request, context) => (await import('./connect.ts')).connect(request, folder, context),
    disconnect: async (request) => (await import('./disconnect.ts')).disconnect(request, folder),
    printConfig: async (request) => (await import('./print-config.ts')).printConfig(request, folder),
    doctor: async (hosts, context) => (await import('./doctor.ts')).examineHosts(hosts, folder, context),
    repair: async (request, context) => (await import('./repair.ts')).repair(request, folder, context),
  };
}
