// The result of a tool in one line: what a person would look for in it.
import { z } from 'zod';
import { formatCount } from '../../src/shared/units.ts';

type Describe = (structure: unknown) => string;

function say<T>(schema: z.ZodType<T>, words: (value: T) => string): Describe {
  return (structure) => words(schema.parse(structure));
}

const workspace = z.object({
  workspace_id: z.string(),
  state: z.string(),
  network_policy: z.string(),
  workspace_seed: z.object({
    mode: z.string(),
    dirty: z.boolean().default(false),
    entry_count: z.number(),
    left_out: z.record(z.string(), z.number()).default({}),
  }),
});
/** What a reset and a change of the labels tell of it */
const changed = z.object({
  labels: z.record(z.string(), z.string()).default({}),
  state: z.string(),
  reset_count: z.number(),
});
const diff = z.object({
  entries: z.array(
    z.object({
      path: z.string(),
      status: z.string(),
      additions: z.number().nullable().default(null),
      deletions: z.number().nullable().default(null),
    }),
  ),
});

const describers: Readonly<Record<string, Describe>> = {
  workspace_create: say(workspace, ({ workspace_id: id, workspace_seed: seed }) => {
    const left = Object.entries(seed.left_out).filter(([, count]) => count > 0);
    return [
      `${id}: ${seed.mode}, ${formatCount(seed.entry_count, 'entry', 'entries')}`,
      ...(seed.dirty === true ? ['with uncommitted changes'] : []),
      ...left.map(([what, count]) => `left out ${what}: ${count}`),
    ].join(', ');
  }),
  workspace_status: say(workspace, ({ state, network_policy: network }) => `${state}, network ${network}`),
  workspace_reset: say(changed, ({ state, reset_count: count }) => `${state}, reset_count ${count}`),
  workspace_update: say(changed, ({ labels }) =>
    Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(' '),
  ),
  workspace_list: say(
    z.object({ workspaces: z.array(z.object({ name: z.string().nullable().default(null) })) }),
    (list) => list.workspaces.map(({ name }) => name ?? '-').join(', '),
  ),
  workspace_exec: say(
    z.object({ running: z.boolean(), exit_code: z.number().nullable(), stdout: z.string(), stderr: z.string() }),
    ({ running, exit_code: code, stdout, stderr }) => (running ? 'running' : exitResult(code, stdout + stderr)),
  ),
  workspace_file_read: say(z.object({ content: z.string() }), ({ content }) => content),
  workspace_file_list: say(z.object({ entries: z.array(z.object({ path: z.string(), mode: z.string() })) }), (list) =>
    list.entries.map(({ path, mode }) => `${mode} ${path}`).join(', '),
  ),
  workspace_diff: say(diff, ({ entries }) =>
    entries.length === 0
      ? 'no changes'
      : entries
          .map(({ path, status, additions, deletions }) => `${status} ${path} +${additions ?? 0} -${deletions ?? 0}`)
          .join(', '),
  ),
  workspace_summary: say(z.object({ outcome: z.string() }), ({ outcome }) => outcome),
  service_logs: say(z.object({ stdout: z.string(), stderr: z.string() }), ({ stdout, stderr }) => stdout + stderr),
  shell_read: say(z.object({ output: z.string() }), ({ output }) => output),
};

export function exitResult(code: number | null, output: string): string {
  return output === '' ? `exit_code ${code}` : `exit_code ${code}: ${output}`;
}

/** The text that the server itself gives, where nothing better is known. */
export function shortResult(tool: string, structure: unknown, text: string): string {
  return describers[tool]?.(structure) ?? text.split('\n')[0] ?? '';
}
