// The completion script for fish.
import { type CompletionCommand, valuedFlags } from './completion-tree.ts';

export function fishScript(tree: readonly CompletionCommand[]): string {
  const paths = tree.filter(({ path }) => path !== '').map(({ path }) => fishQuoted(path));
  const valued = new Set(tree.flatMap(valuedFlags));
  return `# Completion of pyro for fish, made by: pyro completion fish
set -g __pyro_paths ${paths.join(' ')}
set -g __pyro_valued ${[...valued].join(' ')}
function __pyro_at -a wanted -a count
    set -l path
    set -l position 0
    set -l option
    for word in (commandline -opc)[2..]
        if test "$word" = --
            return 1
        else if test -n "$option"
            set option
        else if string match -q -- '-*' $word
            contains -- $word $__pyro_valued; and set option $word
        else if contains -- (string join ' ' $path $word) $__pyro_paths
            set -a path $word
        else
            set position (math $position + 1)
        end
    end
    test "$path" = "$wanted"; and test -z "$count" -o "$count" = $position
end
${tree.flatMap(linesOf).join('')}`;
}

function linesOf({ path, commands, options, positionals }: CompletionCommand): string[] {
  const at = `complete -c pyro -n ${fishQuoted(`__pyro_at ${fishQuoted(path)}`)}`;
  return [
    ...commands.map(({ name, summary }) => `${at} -f -a ${name} -d ${fishQuoted(summary)}\n`),
    ...options.map(({ name, short, summary, takesValue, values }) => {
      const flag = `-l ${name.replace(/^--/, '')}${short === undefined ? '' : ` -s ${short.slice(1)}`}`;
      const words = values.length === 0 ? '' : ` -f -a ${fishQuoted(values.join(' '))}`;
      return `${at} ${flag}${takesValue ? ` -r${words}` : ''} -d ${fishQuoted(summary)}\n`;
    }),
    ...positionals.flatMap((values, index) => {
      if (values.length === 0) return [];
      const there = `complete -c pyro -n ${fishQuoted(`__pyro_at ${fishQuoted(path)} ${index}`)}`;
      return [`${there} -f -a ${fishQuoted(values.join(' '))}\n`];
    }),
  ];
}

/** In fish a backslash escapes within single quotes. */
function fishQuoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
