// The door to the configuration of chat hosts; each job is loaded when it is asked for.
import type { HostConnectInput, HostDisconnectInput, HostRepairInput } from '../contract/machine.ts';
import type { CallContext } from '../shared/call-context.ts';
import type { HostName } from '../shared/host-types.ts';

/** `folder` is where the user stands: a host keeps some entries per project. */
export function createHosts(folder: string = process.cwd()) {
  return {
    /** `needsHost` is false where the entry is of use without the host itself */
    connect: async (input: HostConnectInput, context: CallContext, needsHost = true) =>
      (await import('./connect.ts')).connect(input, folder, context, needsHost),
    disconnect: async (input: HostDisconnectInput) => (await import('./disconnect.ts')).disconnect(input, folder),
    printConfig: async (input: HostConnectInput) => (await import('./print-config.ts')).printConfig(input, folder),
    doctor: async (hosts: readonly HostName[], context: CallContext) =>
      (await import('./doctor.ts')).examineHosts(hosts, folder, context),
    repair: async (input: HostRepairInput, context: CallContext) =>
      (await import('./repair.ts')).repair(input, folder, context),
  };
}
