// The completion script for fish.
import { type CompletionCommand, type NameKind, valuedFlags } from './completion-tree.ts';

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
    set -g __pyro_given
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
            set -ga __pyro_given $word
        end
    end
    test "$path" = "$wanted"; and test -z "$count" -o "$count" = $position
end
function __pyro_names -a kind
    set -l program (commandline -opc)[1]
    $program __complete $kind $__pyro_given 2>/dev/null
end
${tree.flatMap(linesOf).join('')}`;
}

function linesOf({ path, commands, options, positionals }: CompletionCommand): string[] {
  const at = `complete -c pyro -n ${fishQuoted(`__pyro_at ${fishQuoted(path)}`)}`;
  return [
    ...commands.map(({ name, summary }) => `${at} -f -a ${name} -d ${fishQuoted(summary)}\n`),
    ...options.map(({ name, short, summary, takesValue, values, kind }) => {
      const flag = `-l ${name.replace(/^--/, '')}${short === undefined ? '' : ` -s ${short.slice(1)}`}`;
      const words = wordsOf(values, kind);
      return `${at} ${flag}${takesValue ? ` -r${words}` : ''} -d ${fishQuoted(summary)}\n`;
    }),
    ...positionals.flatMap(({ values, kind, isSeveral }, index) => {
      const words = wordsOf(values, kind);
      if (words === '') return [];
      const place = isSeveral ? '' : ` ${index}`;
      return [`complete -c pyro -n ${fishQuoted(`__pyro_at ${fishQuoted(path)}${place}`)}${words}\n`];
    }),
  ];
}

/** What is offered there; beside the places of a copy stand the files of this machine. */
function wordsOf(values: readonly string[], kind: NameKind | undefined): string {
  if (values.length > 0) return ` -f -a ${fishQuoted(values.join(' '))}`;
  if (kind === undefined) return '';
  return `${kind === 'place' ? '' : ' -f'} -a ${fishQuoted(`(__pyro_names ${kind})`)}`;
}

/** In fish a backslash escapes within single quotes. */
function fishQuoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
