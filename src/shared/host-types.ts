// Chat hosts: which there are, and the scopes of their configuration.
export const hostNames = ['claude-code', 'codex', 'opencode'] as const;
export type HostName = (typeof hostNames)[number];

export const hostScopes = ['local', 'user', 'project'] as const;
export type HostScope = (typeof hostScopes)[number];
