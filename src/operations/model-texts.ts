// Results as text for a model: what is news to whoever made the call, without what it gave itself and what is as usual.
import type { ShownOutput } from '../contract/commands.ts';
import { formatBytes, formatCount, formatIgnored } from '../shared/units.ts';
import { visible } from '../shared/visible.ts';
import type { WorkspaceOutput } from './workspace-scalars.ts';

const workFolder = '/workspace/';

/** Paths of the guest as they are given: relative ones are under /workspace. */
export function shortPath(path: string): string {
  return visible(path.startsWith(workFolder) ? path.slice(workFolder.length) : path);
}

export function formatSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** Standard output as it is where there is nothing else; both with their names otherwise. */
export function outputText(stdout: string, stderr: string): string {
  return stderr === '' ? withEnd(stdout) : `${section('stdout', stdout)}${section('stderr', stderr)}`;
}

function section(name: string, text: string): string {
  return text === '' ? '' : `--- ${name}\n${withEnd(text)}`;
}

function withEnd(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}

export function createdText(workspace: WorkspaceOutput): string {
  const { workspace_seed: seed } = workspace;
  const head = [
    `${workspace.environment}, ${workspace.vcpu_count} CPU, ${workspace.mem_mib} MiB, network ${workspace.network_policy}`,
    ...(workspace.package_sources === 'none' ? [] : [`package sources ${workspace.package_sources}`]),
  ];
  const at = [seed.branch, seed.commit?.slice(0, 12)].filter((each) => typeof each === 'string').join(' ');
  const parts =
    seed.seed_path === null
      ? ['empty']
      : [
          `${visible(seed.seed_path)} (${seed.origin_kind})${at === '' ? '' : ` at ${visible(at)}`}`,
          formatCount(seed.entry_count, 'entry', 'entries'),
          ...(seed.dirty === true ? ['with uncommitted changes'] : []),
          ...Object.entries(seed.left_out).flatMap(([what, count]) =>
            count > 0 ? [`left out ${what}: ${count}`] : [],
          ),
        ];
  return `workspace ${workspace.workspace_id} ${workspace.state}: ${head.join(', ')}\nseed: ${parts.join(', ')}\n`;
}

/** Of a workspace that was reset or renamed. */
export function changedText(workspace: WorkspaceOutput): string {
  const labels = Object.entries(workspace.labels).map(([key, value]) => `${key}=${value}`);
  const parts = [
    workspace.state,
    ...(workspace.name === null ? [] : [`name ${visible(workspace.name)}`]),
    ...(labels.length === 0 ? [] : [`labels ${visible(labels.join(' '))}`]),
    ...(workspace.reset_count === 0 ? [] : [`reset_count ${workspace.reset_count}`]),
    ...(workspace.restarted ? ['the guest was restarted from its disk'] : []),
  ];
  return `${parts.join(', ')}\n`;
}

interface ExecText extends ShownOutput {
  readonly running: boolean;
  readonly sequence: number;
  readonly exit_code: number | null;
  readonly timed_out: boolean;
  readonly shell: string;
  readonly duration_ms: number;
  readonly restarted: boolean;
  readonly denied_connections: readonly { readonly target: string; readonly reason: string }[];
  readonly network_note: string | null;
  readonly program_note: string | null;
}

export function execText(output: ExecText): string {
  const { sequence, stdout_bytes: stdoutBytes, stderr_bytes: stderrBytes } = output;
  const time = formatSeconds(output.duration_ms);
  const parts = [
    output.running
      ? `still running after ${time}; follow it: workspace_logs sequence=${sequence} stream=stdout cursor=${stdoutBytes} wait_seconds=30`
      : `exit_code ${output.exit_code}${endNote(output)}, ${time}`,
    ...output.denied_connections.map(({ target, reason }) => `network: ${target} refused, ${reason}`),
    ...(output.network_note === null ? [] : [`network: ${output.network_note}`]),
    ...(output.program_note === null ? [] : [output.program_note]),
    ...(output.restarted ? ['the guest was restarted from its disk'] : []),
    ...(output.is_utf8 ? [] : ['non-UTF-8 bytes were replaced']),
    ...(output.truncated
      ? [`output cut: sequence ${sequence} has stdout ${stdoutBytes} bytes, stderr ${stderrBytes} bytes`]
      : []),
  ];
  return `${parts.join('; ')}\n${outputText(output.stdout, output.stderr)}`;
}

/** Which shell a failed line was read by explains some failures. */
function endNote({ exit_code: code, timed_out: timedOut, shell }: ExecText): string {
  if (timedOut) return ' (timed out)';
  return code === 0 ? '' : ` (by ${shell})`;
}

interface LogsText {
  readonly count: number;
  readonly gone_count: number | null;
  readonly next_cursor: number | null;
  readonly entries: readonly ({
    readonly sequence: number;
    readonly command: string;
    readonly running: boolean;
    readonly exit_code: number | null;
    readonly timed_out: boolean;
    readonly duration_ms: number;
  } & Omit<ShownOutput, 'truncated'>)[];
}

/** Where a list of commands does not begin with the first one. */
export function goneLine(count: number | null): string {
  return count === null ? '' : `${formatCount(count, 'older command is', 'older commands are')} no longer kept\n`;
}

export function logsText({ entries, count, gone_count: gone, next_cursor: next }: LogsText): string {
  if (entries.length === 0) return 'no commands\n';
  const blocks = entries.map((entry) => {
    const end = entry.running
      ? 'running'
      : `exit_code ${entry.exit_code ?? 'lost'}${entry.timed_out ? ' (timed out)' : ''}`;
    const isWhole =
      Buffer.byteLength(entry.stdout) >= entry.stdout_bytes && Buffer.byteLength(entry.stderr) >= entry.stderr_bytes;
    const parts = [
      `${end}, ${formatSeconds(entry.duration_ms)}`,
      ...(isWhole ? [] : [`stdout ${entry.stdout_bytes} bytes, stderr ${entry.stderr_bytes} bytes`]),
      ...(entry.is_utf8 ? [] : ['non-UTF-8 bytes were replaced']),
    ];
    const command = visible(entry.command.split('\n')[0]?.slice(0, 80) ?? '');
    return `[${entry.sequence}] ${command}: ${parts.join('; ')}\n${outputText(entry.stdout, entry.stderr)}`;
  });
  const all = count > entries.length ? `${formatCount(count, 'command')} in all\n` : '';
  return `${goneLine(gone)}${blocks.join('')}${all}${next === null ? '' : `next_cursor ${next}\n`}`;
}

interface FileText {
  readonly size_bytes: number;
  readonly mode: string;
  readonly encoding: string;
  readonly offset: number;
  readonly first_line: number | null;
  readonly next_offset: number | null;
  readonly truncated: boolean;
  readonly content: string;
}

/** The first line is about the file, its content comes after it. */
export function fileText(file: FileText): string {
  const parts = [
    `${file.size_bytes} bytes`,
    ...(file.mode === '0644' ? [] : [`mode ${file.mode}`]),
    ...(file.encoding === 'utf-8' ? [] : [file.encoding]),
    ...(file.first_line !== null ? [`from line ${file.first_line}`] : file.offset === 0 ? [] : [`from ${file.offset}`]),
    ...(file.truncated ? [`cut; continue with offset ${file.next_offset}`] : []),
  ];
  return `${parts.join(', ')}\n${file.content}`;
}

interface ListText {
  readonly path: string;
  readonly entries: readonly {
    readonly path: string;
    readonly artifact_type: string;
    readonly size_bytes: number;
    readonly mode: string;
    readonly link_target: string | null;
  }[];
  readonly next_cursor: string | null;
}

const usualModes = new Set(['0644', '0755']);

/** A line for each: folders end with a stroke, programs with a star, as `ls -F` has it. */
export function listText({ path, entries, next_cursor: next }: ListText): string {
  if (entries.length === 0) return `nothing in ${visible(path)}\n`;
  const lines = entries.map((entry) => {
    const name = shortPath(entry.path);
    const mode = usualModes.has(entry.mode) ? '' : ` ${entry.mode}`;
    if (entry.artifact_type === 'directory') return `${name}/${mode}\n`;
    if (entry.artifact_type === 'symlink') return `${name} -> ${visible(entry.link_target ?? '')}\n`;
    if (entry.artifact_type === 'other') return `${name} (no file)${mode}\n`;
    return `${name}${entry.mode === '0755' ? '*' : ''} ${entry.size_bytes} B${mode}\n`;
  });
  return `${lines.join('')}${next === null ? '' : `more: cursor ${JSON.stringify(next)}\n`}`;
}

export function writtenText(file: {
  readonly created: boolean;
  readonly size_bytes: number;
  readonly replaced_count: number | null;
}): string {
  const replaced = file.replaced_count === null ? '' : `, ${file.replaced_count} replaced`;
  return `${file.created ? 'created' : 'written'}, ${file.size_bytes} bytes${replaced}\n`;
}

export function patchedText(entries: readonly { readonly path: string; readonly status: string }[]): string {
  if (entries.length === 0) return 'nothing changed\n';
  return entries.map(({ path, status }) => `${status} ${shortPath(path)}\n`).join('');
}

interface PatchText {
  readonly patch: string;
  readonly next_cursor: string | null;
  readonly left_out_count: number;
  readonly system_changes: readonly unknown[] | null;
}

/** Then a list would say once more what the patch shows. */
export function isWholePatch({
  patch,
  next_cursor: next,
  left_out_count: count,
  system_changes: system,
}: PatchText): boolean {
  return patch !== '' && next === null && count === 0 && (system ?? []).length === 0;
}

interface ExportText {
  readonly output_path: string;
  readonly artifact_type: string;
  readonly entry_count: number;
  readonly bytes_written: number;
  readonly skipped: readonly { readonly path: string; readonly status: string }[];
  readonly ignored: { readonly files: number; readonly bytes: number };
}

export function exportedText(output: ExportText): string {
  const count = output.artifact_type === 'file' ? '' : `${formatCount(output.entry_count, 'entry', 'entries')}, `;
  const skipped = output.skipped.map(({ path, status }) => `left out ${visible(path)}: ${status}\n`).join('');
  return `${visible(output.output_path)}: ${count}${formatBytes(output.bytes_written)}\n${skipped}${ignoredLine(output.ignored)}`;
}

export function ignoredLine(ignored: { readonly files: number; readonly bytes: number }): string {
  return ignored.files === 0 ? '' : `[ignored: ${formatIgnored(ignored)}]\n`;
}
