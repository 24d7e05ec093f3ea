// The hosts that pyro knows.
import type { HostName } from '../shared/host-types.ts';
import type { HostAdapter } from './adapter.ts';
import { claudeCode } from './claude-code.ts';
import { codex } from './codex.ts';
import { openCode } from './opencode.ts';

export const adapters: Readonly<Record<HostName, HostAdapter>> = {
  'claude-code': claudeCode,
  codex,
  opencode: openCode,
};
