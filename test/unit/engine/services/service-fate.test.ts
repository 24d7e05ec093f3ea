// Tests of what becomes of a service whose process has ended.
import { describe, expect, it } from 'vitest';
import type { ServiceRecord } from '../../../../src/contract/records.ts';
import { decideFate } from '../../../../src/engine/services/service-fate.ts';

const record: ServiceRecord = {
  version: 1,
  name: 'web',
  command: 'serve',
  cwd: '/workspace',
  env: {},
  secret_env: [],
  ready_file: '/ready',
  ready_tcp: null,
  ready_http: null,
  ready_command: null,
  ready_timeout_ms: 1000,
  ready_interval_ms: 100,
  restart_policy: 'never',
  ports: [],
  is_wanted: true,
  state: 'running',
  stop_reason: null,
  process: 'p1',
  pid: 7,
  base: { stdout: 0, stderr: 0 },
  started_at: 100,
  ready_at: 101,
  ended_at: null,
  exit_code: null,
  restart_count: 0,
  attempts: 0,
};
const fate = (changes: Partial<ServiceRecord>, exitCode: number, now = 102) =>
  decideFate({ ...record, ...changes }, undefined, exitCode, now);

describe('the fate of a service', () => {
  it('is its own end, whatever the code, without a policy', () => {
    expect(fate({}, 0)).toEqual({ kind: 'over', state: 'exited', reason: null });
    expect(fate({}, 1)).toEqual({ kind: 'over', state: 'exited', reason: null });
  });

  it('is a restart after a failure, or always, as the policy says', () => {
    expect(fate({ restart_policy: 'on-failure' }, 0).kind).toBe('over');
    expect(fate({ restart_policy: 'on-failure' }, 1)).toEqual({ kind: 'restart', delayMs: 500, attempts: 1 });
    expect(fate({ restart_policy: 'always' }, 0)).toEqual({ kind: 'restart', delayMs: 500, attempts: 1 });
  });

  it('waits longer each time, but not for ever, and is given up at last', () => {
    const delay = (attempts: number): unknown => fate({ restart_policy: 'always', attempts }, 1);
    expect(delay(3)).toMatchObject({ delayMs: 4000, attempts: 4 });
    expect(delay(15)).toMatchObject({ delayMs: 30_000 });
    expect(delay(20)).toEqual({ kind: 'over', state: 'failed', reason: 'restart_limit' });
    expect(fate({ restart_policy: 'always', attempts: 20 }, 1, 200)).toMatchObject({ kind: 'restart', attempts: 1 });
  });

  it('is a failure before it was ever ready, and another try after that', () => {
    const never = { ready_at: null, restart_policy: 'always' } as const;
    expect(fate(never, 1)).toEqual({ kind: 'over', state: 'failed', reason: 'process_exited_before_ready' });
    expect(fate({ ...never, restart_count: 1 }, 1).kind).toBe('restart');
    const late = { state: 'failed', reason: 'readiness_timeout' } as const;
    expect(decideFate({ ...record, ...never }, late, 137, 102)).toEqual({ kind: 'over', ...late });
  });

  it('without probes is never one of not getting ready', () => {
    const instant = { ready_at: null, ready_file: null };
    expect(fate(instant, 0)).toEqual({ readyAt: 100, kind: 'over', state: 'exited', reason: null });
  });

  it('is what somebody asked for, before all policies', () => {
    const asked = { state: 'stopped', reason: 'sigterm' } as const;
    expect(decideFate({ ...record, restart_policy: 'always' }, asked, 143, 102)).toEqual({ kind: 'over', ...asked });
  });
});
