// Calls that a hint proposes: written once, and shown in the words of whoever is told: a command, a tool or a method.

type Arguments = Readonly<Record<string, string | number>>;

/** How one front shows a call. `operation` is a name such as `workspace.logs`. */
export type CallWords = (operation: string, args: Arguments) => string;

/** What {@link hintCall} writes; arguments are names with values that have neither space nor bracket. */
const mark = /\[\[([a-z]+(?:[._][a-z]+)*)((?: [a-z_]+=[^\s\]]+)*)\]\]/g;

/** Arguments that commands take by position */
const positional = new Set(['workspace_id', 'environment', 'shell_id', 'service_name', 'snapshot_name']);

/** A call, to stand in a hint. Values with a space or a bracket are left out: whoever follows the hint knows them. */
export function hintCall(operation: string, args: Arguments = {}): string {
  const words = Object.entries(args)
    .filter(([, value]) => /^[^\s\]]+$/.test(String(value)))
    .map(([name, value]) => ` ${name}=${value}`);
  return `[[${operation}${words.join('')}]]`;
}

/** The text with each call in the words of a front. */
export function withCalls(text: string, words: CallWords): string {
  return text.replaceAll(mark, (_whole, operation: string, list: string) => {
    const args = list
      .split(' ')
      .filter(Boolean)
      .map((word): [string, string] => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]);
    return words(operation, Object.fromEntries(args));
  });
}

/** `pyro workspace logs 6f1e538c0e71 --sequence 3` */
export const commandCall: CallWords = (operation, args) =>
  [
    'pyro',
    ...operation.replaceAll('_', '-').split('.'),
    ...Object.entries(args).map(([name, value]) =>
      positional.has(name) ? String(value) : optionWords(name.replaceAll('_', '-'), String(value)),
    ),
  ].join(' ');

function optionWords(flag: string, value: string): string {
  return value === 'true' ? `--${flag}` : `--${flag} ${value}`;
}

/** `workspace.logs({ workspace_id: "6f1e538c0e71", sequence: "3" })` */
export const methodCall: CallWords = (operation, args) => {
  const pairs = Object.entries(args).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  return `${operation}(${pairs.length === 0 ? '' : `{ ${pairs.join(', ')} }`})`;
};

/** `workspace_logs workspace_id=6f1e538c0e71 sequence=3`; what a server has no tool for is the person's to run. */
export function toolCall(tools: ReadonlyMap<string, string>): CallWords {
  return (operation, args) => {
    const tool = tools.get(operation);
    if (tool === undefined) return `${commandCall(operation, args)} (a command for the person at this machine)`;
    return [tool, ...Object.entries(args).map(([name, value]) => `${name}=${value}`)].join(' ');
  };
}
