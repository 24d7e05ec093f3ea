// The door to the configuration of chat hosts; each job is loaded when it is asked for.
import type { CallContext } from '../shared/call-context.ts';
import type { ConnectRequest, DisconnectRequest, HostName, RepairRequest } from '../shared/host-types.ts';

/** `folder` is where the user stands: a host keeps some entries per project. */
export function createHosts(folder: string = process.cwd()) {
  return {
    connect: async (request: ConnectRequest, context: CallContext) =>
      (await import('./connect.ts')).connect(request, folder, context),
    disconnect: async (request: DisconnectRequest) => (await import('./disconnect.ts')).disconnect(request, folder),
    printConfig: async (request: ConnectRequest) => (await import('./print-config.ts')).printConfig(request, folder),
    doctor: async (hosts: readonly HostName[], context: CallContext) =>
      (await import('./doctor.ts')).examineHosts(hosts, folder, context),
    repair: async (request: RepairRequest, context: CallContext) =>
      (await import('./repair.ts')).repair(request, folder, context),
  };
}
