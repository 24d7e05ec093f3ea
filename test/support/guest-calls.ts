// Calls that read from a guest, each with the request of the agent that its answer comes from.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Output } from './lying-house.ts';

export interface GuestCall {
  /** Request of the agent, as the liar names it */
  readonly on: string;
  readonly operation: string;
  /** @param host a folder of the host for what goes in and out */
  readonly input: (host: string) => Output;
}

function source(host: string): string {
  const folder = join(host, 'source');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'a.txt'), 'a\n');
  return folder;
}

const patch = '--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-a\n+b\n';

export const guestCalls = {
  exec: {
    on: 'POST /v1/processes',
    operation: 'workspace.exec',
    input: () => ({ command: 'true', timeout_seconds: 2, wait_seconds: 20 }),
  },
  list: { on: 'GET /v1/files', operation: 'workspace.file.list', input: () => ({ path: '/', recursive: true }) },
  read: { on: 'GET /v1/files/content', operation: 'workspace.file.read', input: () => ({ path: '/a' }) },
  write: {
    on: 'PUT /v1/files/content',
    operation: 'workspace.file.write',
    input: () => ({ path: '/workspace/a', text: 'a' }),
  },
  edit: {
    on: 'POST /v1/files/replace',
    operation: 'workspace.file.write',
    input: () => ({ path: '/workspace/a', old_text: 'a', new_text: 'b' }),
  },
  diff: { on: 'POST /v1/changes', operation: 'workspace.diff', input: () => ({}) },
  'diff of the system': { on: 'POST /v1/changes', operation: 'workspace.diff', input: () => ({ system: true }) },
  summary: { on: 'POST /v1/changes', operation: 'workspace.summary', input: () => ({}) },
  patch: { on: 'POST /v1/changes', operation: 'workspace.patch.apply', input: () => ({ patch }) },
  'export of a patch': {
    on: 'POST /v1/changes',
    operation: 'workspace.export',
    input: (host) => ({ output_path: join(host, 'out.patch'), format: 'patch' }),
  },
  'export of files': {
    on: 'POST /v1/tree/pack',
    operation: 'workspace.export',
    input: (host) => ({ path: '/srv', output_path: join(host, 'out'), include_ignored: true }),
  },
  'export of an archive': {
    on: 'POST /v1/tree/pack',
    operation: 'workspace.export',
    input: (host) => ({ path: '/srv', output_path: join(host, 'out.tar'), format: 'tar', include_ignored: true }),
  },
  copy: {
    on: 'POST /v1/tree/pack',
    operation: 'workspace.copy',
    input: (host) => ({ source: ':/srv', target: join(host, 'copied') }),
  },
  'comparison of a push': {
    on: 'POST /v1/tree/compare',
    operation: 'workspace.sync.push',
    input: (host) => ({ source_path: source(host), dest: '/workspace', delete: true }),
  },
  push: {
    on: 'POST /v1/tree/unpack',
    operation: 'workspace.sync.push',
    input: (host) => ({ source_path: source(host), dest: '/workspace/new' }),
  },
  status: { on: 'GET /v1/status', operation: 'workspace.status', input: () => ({}) },
  service: {
    on: 'POST /v1/processes',
    operation: 'workspace.service.start',
    input: () => ({ service_name: 'web', command: 'sleep 100' }),
  },
  probe: {
    on: 'POST /v1/probe',
    operation: 'workspace.service.start',
    input: () => ({
      service_name: 'other',
      command: 'sleep 100',
      ready_tcp: '80',
      ready_timeout_seconds: 3,
      wait_seconds: 5,
    }),
  },
  shell: { on: 'POST /v1/processes', operation: 'workspace.shell.open', input: () => ({}) },
  snapshot: { on: 'POST /v1/sync', operation: 'workspace.snapshot.create', input: () => ({ snapshot_name: 'a' }) },
} as const satisfies Record<string, GuestCall>;

export type GuestCallName = keyof typeof guestCalls;

export function isGuestCall(name: string): name is GuestCallName {
  return Object.hasOwn(guestCalls, name);
}
