// Names of arguments as models and programs write them by habit, and which argument each means.

/** Habits of other tools, by the name that we have for it */
const otherNames: Readonly<Record<string, readonly string[]>> = {
  workspace_id: ['id', 'workspace', 'workspace_name'],
  vm_id: ['id', 'vm'],
  shell_id: ['id', 'shell', 'session_id'],
  service_name: ['name', 'service'],
  snapshot_name: ['name', 'snapshot'],
  snapshot: ['name', 'snapshot_name'],
  command: ['cmd', 'command_line', 'shell_command', 'script'],
  timeout_seconds: ['timeout', 'time_limit'],
  wait_seconds: ['wait'],
  ttl_seconds: ['ttl', 'idle_timeout'],
  path: ['file_path', 'filepath', 'file', 'filename', 'file_name', 'directory', 'dir', 'folder'],
  seed_path: ['path', 'seed', 'project', 'project_path'],
  source_path: ['source', 'src', 'local_path'],
  dest: ['destination', 'dst', 'dest_path'],
  output_path: ['output', 'host_path', 'destination', 'dest'],
  text: ['content', 'contents', 'file_text'],
  content_base64: ['base64'],
  old_text: ['old_string', 'old_str', 'old', 'search'],
  new_text: ['new_string', 'new_str', 'new', 'replace', 'replacement'],
  expected_count: ['expected_replacements', 'count'],
  patch: ['diff', 'input', 'patch_text'],
  cwd: ['workdir', 'working_dir', 'working_directory', 'directory', 'dir'],
  env: ['environment', 'environment_variables', 'env_vars', 'variables'],
  environment: ['image', 'env'],
  stdin: ['input'],
  input: ['text', 'data', 'keys'],
  mem_mib: ['memory', 'mem', 'memory_mib', 'memory_mb', 'mem_mb'],
  vcpu_count: ['cpus', 'cpu', 'vcpus', 'vcpu', 'cpu_count', 'cores'],
  disk_mib: ['disk', 'disk_mb'],
  network_policy: ['network'],
  allow: ['allowed_hosts', 'allow_hosts', 'hosts'],
  published_ports: ['ports', 'publish', 'port'],
  guest_port: ['port', 'guest', 'container_port'],
  host_port: ['host'],
  signal_name: ['signal'],
  sequence: ['seq', 'command_id'],
  glob: ['pattern'],
  start_line: ['from_line', 'line_start', 'first_line'],
  end_line: ['to_line', 'line_end', 'last_line'],
  recursive: ['recurse'],
  labels: ['tags', 'label'],
  label: ['labels', 'tag'],
  secrets: ['secret'],
  name: ['key'],
  file_path: ['path', 'file'],
  cols: ['columns', 'width'],
  rows: ['height'],
};

const units = /_(?:seconds|secs?|s|ms|milliseconds|mib|bytes)$/;
const milliseconds = /_(?:ms|milliseconds)$/;

export interface Meaning {
  /** Fields that the name may mean; one of them is the one */
  readonly fields: readonly string[];
  /** What a number is divided by: a name may have a unit of its own */
  readonly divisor: number;
}

/** Which of the known fields a name means that is none of them. */
export function meaningOf(name: string, known: readonly string[]): Meaning {
  const plain = snake(name);
  const same = known.filter((field) => field === plain);
  if (same.length > 0) return { fields: same, divisor: 1 };
  const habitual = known.filter((field) => otherNames[field]?.includes(plain) === true);
  if (habitual.length > 0) return { fields: habitual, divisor: 1 };
  const stem = plain.replace(units, '');
  const byStem = known.filter(
    (field) => field.replace(units, '') === stem || (units.test(plain) && otherNames[field]?.includes(stem) === true),
  );
  const divisor = milliseconds.test(plain) && byStem.every((field) => field.endsWith('_seconds')) ? 1000 : 1;
  return { fields: byStem, divisor };
}

/** Known names that one which means nothing is near to, nearest first. */
export function namesNear(name: string, known: readonly string[]): string[] {
  const plain = snake(name).slice(0, longestName);
  return known
    .map((field) => ({ field, steps: distance(plain, field) }))
    .filter(({ field, steps }) => steps <= Math.max(1, Math.floor(field.length / 4)))
    .sort((one, other) => one.steps - other.steps)
    .slice(0, 2)
    .map(({ field }) => field);
}

const longestName = 64;

function snake(name: string): string {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll(/[-\s.]+/g, '_')
    .toLowerCase();
}

/** Letters to add, remove or change. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let at = 1; at <= one.length; at++) {
    const next = [at];
    for (let to = 1; to <= other.length; to++) {
      const change = (row[to - 1] ?? 0) + (one[at - 1] === other[to - 1] ? 0 : 1);
      next.push(Math.min(change, (row[to] ?? 0) + 1, (next[to - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
