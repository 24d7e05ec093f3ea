// What happened in a workspace since its last reset: as data, and as Markdown for a pull request.
import type { WorkspaceCall } from '../../contract/call.ts';
import type { SummaryInput, SummaryOutput } from '../../contract/changes.ts';
import type { CommandRecord } from '../../contract/records.ts';
import type { LastCommand } from '../../contract/workspaces.ts';
import { readConnectionLog } from '../../network/connection-log.ts';
import { formatBytes, formatCount, formatIgnored } from '../../shared/units.ts';
import { visible } from '../../shared/visible.ts';
import type { CommandLog } from '../commands/command-log.ts';
import { deniedConnections } from '../guests/guest-network.ts';
import { readEvents } from '../output/events.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { runJob } from '../workspace/workspace-jobs.ts';
import { diffJob } from './diff-job.ts';
import type { DiffShelf } from './diff-shelf.ts';
import { readEntries, whileKept } from './kept-entries.ts';

const shownCommands = 30;
const shownFiles = 50;
const shownTargets = 20;

export async function summarize(
  workspace: Workspace,
  shelf: DiffShelf,
  { format }: SummaryInput,
  call: WorkspaceCall,
): Promise<SummaryOutput> {
  const { record, files, log } = workspace;
  const since = record.last_reset_at ?? record.created_at;
  const { entries, facts } = await workspace.use(call, async ({ guest }) => {
    const place = { workspaceId: record.id, folder: files.scratch, key: 'summary' };
    const wanted = { options: { isStatOnly: true }, isSinceSnapshot: false };
    const kept = await shelf.make(place, call, (workFolder, context) =>
      runJob(workspace, diffJob, wanted, { guests: [guest.client], context, workFolder }),
    );
    return { entries: await whileKept(readEntries(kept.entries, shownFiles)), facts: kept.facts };
  });
  const events = (await readEvents(files.events)).filter(({ at }) => at >= since);
  const commands = await commandsSince(log, since);
  const denied = await deniedSince(workspace, since);
  const failed = commands.filter(({ exit_code: code }) => code !== null && code !== 0);
  const result = {
    workspace_id: record.id,
    name: record.name,
    since,
    outcome: outcomeOf(commands, facts.summary.total),
    commands: commands.slice(-shownCommands).map(toCommand),
    command_count: commands.length,
    failed_count: failed.length,
    files: entries,
    file_count: facts.summary.total,
    additions: facts.additions,
    deletions: facts.deletions,
    ignored: facts.ignored,
    left_out: facts.omitted.map(({ path, reason }) => ({ path: workspace.secrets.maskText(path), reason })),
    exports: events.filter(({ kind }) => kind === 'export').map(({ detail }) => detail),
    snapshots: record.snapshots.map(({ name }) => name),
    resets: record.reset_count,
    denied_connections: denied.slice(-shownTargets),
  };
  return { ...result, markdown: markdownOf(result), format };
}

/** Oldest first. */
async function commandsSince(log: CommandLog, since: number): Promise<CommandRecord[]> {
  const found: CommandRecord[] = [];
  for await (const record of log.newest()) {
    if (record.started_at < since) break;
    found.push(record);
  }
  return found.reverse();
}

/** Each target once, with how often and why; the latest last. */
async function deniedSince({ network }: Workspace, since: number): Promise<SummaryOutput['denied_connections']> {
  const { attempts } = await readConnectionLog(network.logPath, {
    isRefusedOnly: true,
    limit: Number.POSITIVE_INFINITY,
  });
  const byTarget = new Map<string, { target: string; reason: string; count: number }>();
  for (const attempt of attempts.filter(({ time }) => Date.parse(time) / 1000 >= since)) {
    for (const { target, reason } of deniedConnections([attempt])) {
      const count = (byTarget.get(target)?.count ?? 0) + 1;
      byTarget.delete(target);
      byTarget.set(target, { target, reason, count });
    }
  }
  return [...byTarget.values()];
}

function outcomeOf(commands: readonly CommandRecord[], count: number): string {
  const last = commands.at(-1);
  const changes = count === 0 ? 'no files changed' : `${formatCount(count, 'file')} changed`;
  if (last === undefined) return `no commands, ${changes}`;
  if (last.ended_at === null) return `command ${last.sequence} is still running, ${changes}`;
  const end = last.exit_code === 0 ? 'succeeded' : `ended with ${last.exit_code ?? 'its guest'}`;
  return `the last command ${end}, ${changes}`;
}

function toCommand(record: CommandRecord): LastCommand {
  const seconds = (record.ended_at ?? Date.now() / 1000) - record.started_at;
  return {
    sequence: record.sequence,
    command: record.command.slice(0, 500),
    cwd: record.cwd,
    exit_code: record.exit_code,
    duration_ms: Math.round(seconds * 1000),
    execution_mode: 'guest',
  };
}

function markdownOf(summary: Omit<SummaryOutput, 'markdown' | 'format'>): string {
  const title = summary.name === null ? summary.workspace_id : `${summary.name} (${summary.workspace_id})`;
  const outcome = summary.outcome.charAt(0).toUpperCase() + summary.outcome.slice(1);
  const lines = [`## Workspace ${title}`, '', `${outcome}.`, ''];
  const lineCounts = `+${summary.additions} -${summary.deletions}`;
  lines.push(
    `### Files: ${summary.file_count === 0 ? 'no files changed' : `${summary.file_count} changed, ${lineCounts}`}`,
  );
  if (summary.files.length > 0) lines.push('');
  for (const entry of summary.files) {
    const count =
      entry.left_out_bytes !== null
        ? formatBytes(entry.left_out_bytes)
        : entry.additions === null
          ? 'binary'
          : `+${entry.additions} -${entry.deletions ?? 0}`;
    const name = entry.old_path === null ? code(entry.path) : `${code(entry.old_path)} → ${code(entry.path)}`;
    lines.push(`- ${entry.status} ${name} (${count})`);
  }
  if (summary.file_count > summary.files.length)
    lines.push(`- … and ${summary.file_count - summary.files.length} more`);
  if (summary.left_out.length > 0) lines.push('', 'Left out:', '');
  for (const { path, reason } of summary.left_out) lines.push(`- ${code(path)}: ${reason}`);
  if (summary.ignored.files > 0) lines.push('', `Ignored by the project's rules: ${formatIgnored(summary.ignored)}.`);
  lines.push('', `### Commands: ${summary.command_count}, ${summary.failed_count} failed`);
  if (summary.commands.length > 0) lines.push('', '| # | exit | time | command |', '|--:|--:|--:|---|');
  for (const each of summary.commands) {
    const first = each.command.split('\n')[0] ?? '';
    lines.push(
      `| ${each.sequence} | ${each.exit_code ?? '–'} | ${(each.duration_ms / 1000).toFixed(1)} s | ${code(first.slice(0, 120)).replaceAll('|', '\\|')} |`,
    );
  }
  const denied = summary.denied_connections.reduce((total, { count }) => total + count, 0);
  if (denied > 0) {
    lines.push('', `### Network: ${formatCount(denied, 'connection')} refused`, '');
    for (const { target, reason, count } of summary.denied_connections)
      lines.push(`- ${code(target)}${count === 1 ? '' : ` × ${count}`}: ${code(reason)}`);
  }
  if (summary.snapshots.length > 0)
    lines.push('', `### Snapshots`, '', ...summary.snapshots.map((name) => `- ${code(name)}`));
  if (summary.exports.length > 0)
    lines.push('', '### Exports', '', ...summary.exports.map((path) => `- ${code(path)}`));
  return `${lines.join('\n')}\n`;
}

/** Text as code, whatever stands in it. */
function code(text: string): string {
  const flat = visible(text.replaceAll(/[\r\n]+/g, ' '));
  const ticks = '`'.repeat(Math.max(0, ...[...flat.matchAll(/`+/g)].map(([run]) => run.length)) + 1);
  return ticks.length === 1 ? `\`${flat}\`` : `${ticks} ${flat} ${ticks}`;
}
