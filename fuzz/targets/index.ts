// All targets by name; each is loaded when it is run, so that what it reaches is not hidden in what others have loaded.
import type { Target } from '../target.ts';

type Load = () => Promise<Target>;

export const targets: Readonly<Record<string, Load>> = {
  'tar-header': async () => (await import('./images.ts')).tarHeader,
  pax: async () => (await import('./images.ts')).pax,
  layer: async () => (await import('./images.ts')).layer,
  zstd: async () => (await import('./images.ts')).zstd,
  manifest: async () => (await import('./manifests.ts')).manifest,
  reference: async () => (await import('./manifests.ts')).reference,
  'git-patch': async () => (await import('./patches.ts')).gitPatch,
  envelope: async () => (await import('./patches.ts')).envelope,
  'patch-view': async () => (await import('./patches.ts')).patchView,
  frames: async () => (await import('./guest.ts')).frames,
  changes: async () => (await import('./guest.ts')).changes,
  comparison: async () => (await import('./guest.ts')).comparison,
  answers: async () => (await import('./guest.ts')).answers,
  export: async () => (await import('./guest.ts')).exported,
  session: async () => (await import('./sessions.ts')).session,
  qmp: async () => (await import('./qmp.ts')).qmp,
  network: async () => (await import('./network.ts')).network,
  'network-target': async () => (await import('./network-words.ts')).networkTarget,
  'mcp-lines': async () => (await import('./mcp.ts')).mcpLines,
  'tool-input': async () => (await import('./tool-input.ts')).toolInput,
  'command-line': async () => (await import('./command-line.ts')).commandLine,
  'live-frames': async () => (await import('./daemon.ts')).liveFrames,
  state: async () => (await import('./state.ts')).state,
  ledger: async () => (await import('./state.ts')).ledger,
  config: async () => (await import('./state.ts')).config,
  'apply-journal': async () => (await import('./apply.ts')).applyJournal,
  'git-index': async () => (await import('./checkouts.ts')).gitIndex,
  'git-config': async () => (await import('./checkouts.ts')).gitConfig,
  'host-json': async () => (await import('./hosts.ts')).hostJson,
  'host-toml': async () => (await import('./hosts.ts')).hostToml,
  visible: async () => (await import('./terminal.ts')).visibleText,
  screen: async () => (await import('./terminal.ts')).screen,
};
