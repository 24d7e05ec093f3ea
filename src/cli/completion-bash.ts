// The completion script for bash.
import {
  type CompletionCommand,
  flagsOf,
  knownValues,
  lookupFunctions,
  singleQuoted,
  valuedFlags,
} from './completion-tree.ts';

export function bashScript(tree: readonly CompletionCommand[]): string {
  const cases = tree.map((command) => {
    const commands = command.commands.map(({ name }) => name).join(' ');
    const flags = command.options.flatMap(flagsOf).join(' ');
    return `    ${singleQuoted(command.path)}) commands='${commands}' flags='${flags}' valued='${valuedFlags(command).join(' ')}' ;;\n`;
  });
  const values = knownValues(tree).map(
    ({ at, values: words }) => `    ${singleQuoted(at)}) values='${words.join(' ')}' ;;\n`,
  );
  return `# Completion of pyro for bash, made by: pyro completion bash
${lookupFunctions(cases, values, tree)}
_pyro() {
  local path='' option='' values='' kind='' commands flags valued word current glue='' i position=0
  local -a words=() given=() names=()
  COMPREPLY=()
  # Bash breaks words at : and =, which belong to names of images, to K=V and to --option=value.
  for ((i = 1; i <= COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ $word == = && \${words[-1]-} == --* ]]; then
      if ((i == COMP_CWORD)); then words+=(''); fi
    elif [[ \${#words[@]} -gt 0 && ($word == [:=]* || -n $glue) ]]; then
      words[-1]+=$word
      if [[ $word == [:=]* ]]; then glue=1; else glue=''; fi
    else
      words+=("$word")
    fi
  done
  current=\${words[-1]-}
  _pyro_command ''
  for word in "\${words[@]:0:\${#words[@]}-1}"; do
    if [[ $word == -- ]]; then return; fi
    if [[ -n $option ]]; then
      option=''
    elif [[ $word == -* ]]; then
      if [[ " $valued " == *" $word "* ]]; then option=$word; fi
    elif [[ " $commands " == *" $word "* ]]; then
      path=\${path:+$path }$word
      _pyro_command "$path"
    else
      position=$((position + 1))
      given+=("$word")
    fi
  done
  if [[ -n $option ]]; then
    _pyro_values "$path $option"
    _pyro_kind "$path $option"
  elif [[ $current == -* ]]; then
    values=$flags
  elif [[ -n $commands ]]; then
    values=$commands
  else
    _pyro_values "$path $position"
    _pyro_kind "$path $position"
  fi
  mapfile -t COMPREPLY < <(compgen -W "$values" -- "$current")
  if [[ -n $kind ]]; then
    mapfile -t names < <("\${COMP_WORDS[0]}" __complete "$kind" "\${given[@]}" 2>/dev/null)
    for word in "\${names[@]}"; do
      word=\${word%%$'\t'*}
      if [[ $word == "$current"* ]]; then COMPREPLY+=("$(printf %q "$word")"); fi
    done
    if [[ $kind == place ]]; then
      compopt -o nospace 2>/dev/null || true
      if [[ -z $current ]]; then mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -f); fi
    else
      compopt +o default 2>/dev/null || true
    fi
  fi
  # What stands before the last colon is a word of its own to bash.
  if [[ $current == *:* && \${COMP_WORDBREAKS-:} == *:* ]]; then
    word=\${current%"\${current##*:}"}
    COMPREPLY=("\${COMPREPLY[@]#"$word"}")
  fi
}
complete -o default -F _pyro pyro
`;
}
