// Fields and texts that the service operations share.

import type { z } from 'zod';
import type { serviceSchema } from '../contract/services.ts';
import { formatCount } from '../shared/units.ts';

export type ServiceOutput = z.infer<typeof serviceSchema>;

/** One line with what matters now. */
export function describeService(service: ServiceOutput): string {
  const { state, pid, exit_code: exitCode, stop_reason: reason, restart_count: restarts } = service;
  const parts = [
    `${service.service_name}: ${state}`,
    ...(pid === null ? [] : [`pid ${pid}`]),
    ...(reason === null ? [] : [reason]),
    ...(exitCode === null ? [] : [`exit_code ${exitCode}`]),
    ...(restarts === 0 ? [] : [`restarted ${formatCount(restarts, 'time')}`]),
    ...(service.readiness_detail === null ? [] : [`not ready: ${service.readiness_detail}`]),
    ...service.published_ports.map((port) => `${port.host}:${port.host_port} -> ${port.guest_port}`),
  ];
  return parts.join(', ');
}
