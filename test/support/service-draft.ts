// The record of a service as it is before its first start.
import type { ServiceRecord } from '../../src/contract/records.ts';

export function serviceDraft(
  given: Pick<ServiceRecord, 'name' | 'command' | 'cwd'> & Partial<ServiceRecord>,
): ServiceRecord {
  return {
    version: 1,
    env: { PATH: process.env['PATH'] ?? '' },
    secret_env: [],
    ready_file: null,
    ready_tcp: null,
    ready_http: null,
    ready_command: null,
    ready_timeout_ms: 10_000,
    ready_interval_ms: 50,
    restart_policy: 'never',
    ports: [],
    is_wanted: true,
    state: 'starting',
    stop_reason: null,
    process: null,
    pid: null,
    base: { stdout: 0, stderr: 0 },
    started_at: 0,
    ready_at: null,
    ended_at: null,
    exit_code: null,
    restart_count: 0,
    attempts: 0,
    ...given,
  };
}
