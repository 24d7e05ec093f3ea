// host.connect, host.disconnect, host.print-config, host.doctor, host.repair: the way of a chat host to the server.

import type { ConnectResult } from '../contract/machine.ts';
import {
  hostConnectInput,
  hostDisconnectInput,
  hostDoctorInput,
  hostDoctorOutput,
  hostPrintConfigInput,
  hostPrintConfigOutput,
  hostRepairInput,
  resultSchema,
} from '../contract/machine.ts';
import { PyroError } from '../shared/errors.ts';
import { hostNames } from '../shared/host-types.ts';
import { defineOperation } from './define.ts';

export const hostConnect = defineOperation({
  name: 'host.connect',
  title: 'Connect a chat host',
  summary: 'Make a chat host start the pyro MCP server',
  details:
    'Edits the configuration file of the host, with a backup; every byte that is not ours is kept. It writes the absolute path of pyro, because a host may have a different PATH than this shell. A second run changes nothing. Afterwards the host itself is asked.',
  effect: 'write',
  place: 'front',
  positionals: ['host'],
  hostPathFields: ['project_path'],
  input: hostConnectInput,
  output: resultSchema,
  examples: [
    { why: 'Claude Code, in every project', command: 'pyro host connect claude-code' },
    { why: 'See first what would change', command: 'pyro host connect codex --mode repro-fix --dry-run' },
    { why: 'Codex in unattended runs', command: 'pyro host connect codex --approve' },
  ],
  run: async ({ engine, signal, onProgress }, input) => {
    const { host, approve } = input;
    if (approve && host !== 'codex') {
      throw new PyroError('usage', '--approve is for codex', { hint: `${host} has its own way to allow tools` });
    }
    return await engine.hosts.connect(input, { signal, onProgress });
  },
  render: renderResult,
});

export const hostDisconnect = defineOperation({
  name: 'host.disconnect',
  title: 'Disconnect a chat host',
  summary: 'Remove the pyro entry from the configuration of a chat host',
  details:
    'In every scope that has one, or in the given one, with a backup; every byte that is not ours is kept. Without an entry nothing changes. Workspaces stay.',
  effect: 'write',
  place: 'front',
  positionals: ['host'],
  input: hostDisconnectInput,
  output: resultSchema,
  examples: [
    { why: 'See first what would go', command: 'pyro host disconnect codex --dry-run' },
    { why: 'Before pyro is uninstalled', command: 'pyro host disconnect claude-code' },
  ],
  run: async ({ engine }, input) => await engine.hosts.disconnect(input),
  render: renderResult,
});

export const hostPrintConfig = defineOperation({
  name: 'host.print-config',
  title: 'Print the entry for a chat host',
  summary: 'Print what belongs in the configuration of a chat host',
  details: 'With --write it is merged into the OpenCode file; for the other hosts use pyro host connect.',
  effect: 'write',
  place: 'front',
  positionals: ['host'],
  hostPathFields: ['project_path'],
  input: hostPrintConfigInput,
  output: hostPrintConfigOutput,
  examples: [
    { why: 'What OpenCode needs, to paste', command: 'pyro host print-config opencode' },
    { why: 'Merged into its file', command: 'pyro host print-config opencode --write' },
  ],
  run: async ({ engine, signal, onProgress }, input) => {
    const { host, write } = input;
    if (write && host !== 'opencode') {
      throw new PyroError('usage', '--write is for opencode', { hint: `pyro host connect ${host}` });
    }
    const snippet = await engine.hosts.printConfig(input);
    const result = write ? await engine.hosts.connect(input, { signal, onProgress }, false) : null;
    return { ...snippet, result };
  },
  render: ({ config_file: path, snippet, host_command: command, result }) =>
    result === null
      ? `# belongs in ${path}\n${snippet}${command === null ? '' : `\n# or, by the host's own program:\n${command}\n`}`
      : renderResult(result),
  renderCommand: ({ config_file: path, snippet, host_command: command, result }) => {
    if (result !== null) return { stdout: renderResult(result) };
    const own = command === null ? '' : `or run: ${command}\n`;
    return { stdout: snippet, stderr: `belongs in ${path}\n${own}` };
  },
});

export const hostDoctor = defineOperation({
  name: 'host.doctor',
  title: 'Check the chat hosts',
  summary: 'Check how each chat host is connected, and say how to fix what is wrong',
  details:
    'For each host: is it installed and configured, does the command exist, does the server answer, does this version know its options, are the time limits long enough. Exit code 1 when a connected host does not work.',
  effect: 'read',
  place: 'front',
  positionals: ['host'],
  input: hostDoctorInput,
  output: hostDoctorOutput,
  examples: [
    { why: 'All of them', command: 'pyro host doctor' },
    { why: 'The tools do not appear in Codex', command: 'pyro host doctor codex' },
  ],
  run: async ({ engine, signal, onProgress }, { host }) => {
    const hosts = await engine.hosts.doctor(host === undefined ? hostNames : [host], { signal, onProgress });
    return { ready: hosts.every(({ checks }) => checks.every(({ status }) => status !== 'fail')), hosts };
  },
  render: ({ hosts }) => {
    const marks = { ok: 'ok  ', warn: 'warn', fail: 'FAIL' };
    const parts = hosts.map(({ host, checks }) => {
      const lines = checks.map(({ name, status, message, fix }) => {
        return `${marks[status]}  ${name}: ${message}${status === 'ok' || fix === null ? '' : `\n      fix: ${fix}`}`;
      });
      return `${host}\n${lines.join('\n')}`;
    });
    return `${parts.join('\n\n')}\n`;
  },
  exitCode: ({ ready }) => (ready ? 0 : 1),
});

export const hostRepair = defineOperation({
  name: 'host.repair',
  title: 'Repair the entry of a chat host',
  summary: 'Make the entry of a chat host what this version of pyro would write',
  details:
    'Mode, project and other options of the entry stay as far as this version knows them; so do its environment and all other servers. With --force a file that does not parse is fixed, if the punctuation or the entry itself is what is broken.',
  effect: 'write',
  place: 'front',
  positionals: ['host'],
  input: hostRepairInput,
  output: resultSchema,
  examples: [
    { why: 'pyro has moved, or an update has renamed options', command: 'pyro host repair claude-code' },
    { why: 'The file no longer parses', command: 'pyro host repair codex --force' },
  ],
  run: async ({ engine, signal, onProgress }, input) => await engine.hosts.repair(input, { signal, onProgress }),
  render: renderResult,
});

function renderResult({ host, dry_run: isDryRun, changes, verification, notes }: ConnectResult): string {
  const lines = changes.flatMap(({ scope, config_file: path, action, diff, backup }) => {
    const what = `${host}: ${isDryRun && action !== 'unchanged' ? 'would be ' : ''}${action} (scope ${scope}, ${path})`;
    return [what, ...(diff === '' ? [] : [diff.trimEnd()]), ...(backup === null ? [] : [`backup: ${backup}`])];
  });
  if (verification !== null) lines.push(`the host says: ${verification}`);
  return `${[...lines, ...notes.map((note) => `note: ${note}`)].join('\n')}\n`;
}
