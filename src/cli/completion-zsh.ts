// The completion script for zsh.
import {
  type CompletionCommand,
  flagsOf,
  knownValues,
  lookupFunctions,
  singleQuoted,
  valuedFlags,
} from './completion-tree.ts';

export function zshScript(tree: readonly CompletionCommand[]): string {
  const cases = tree.map((command) => {
    const commands = command.commands.map(({ name, summary }) => described(name, summary));
    const flags = command.options.flatMap((option) => flagsOf(option).map((flag) => described(flag, option.summary)));
    return `    ${singleQuoted(command.path)})
      commands=(${commands.join(' ')})
      flags=(${flags.join(' ')})
      valued=(${valuedFlags(command).join(' ')}) ;;\n`;
  });
  const values = knownValues(tree).map(
    ({ at, values: words }) => `    ${singleQuoted(at)}) values=(${words.map(singleQuoted).join(' ')}) ;;\n`,
  );
  return `#compdef pyro
# Completion of pyro for zsh, made by: pyro completion zsh
${lookupFunctions(cases, values, tree)}
_pyro() {
  local at='' option='' kind='' word
  local -a commands flags valued values given names abouts
  integer position=0
  _pyro_command ''
  for word in "\${(@)words[2,CURRENT-1]}"; do
    if [[ $word == -- ]]; then
      _files
      return
    fi
    if [[ -n $option ]]; then
      option=''
    elif [[ $word == -* ]]; then
      if (( \${valued[(Ie)$word]} )); then option=$word; fi
    elif [[ -n \${commands[(r)\${(b)word}:*]} ]]; then
      at=\${at:+$at }$word
      _pyro_command "$at"
    else
      position+=1
      given+=("\${(Q)word}")
    fi
  done
  if [[ -n $option ]]; then
    _pyro_values "$at $option"
    _pyro_kind "$at $option"
  elif [[ \${words[CURRENT]} == -* ]]; then
    _describe -o option flags
    return
  elif (( \${#commands} )); then
    _describe command commands
    return
  else
    _pyro_values "$at $position"
    _pyro_kind "$at $position"
  fi
  if [[ -n $kind ]]; then
    for word in "\${(@f)$("\${(Q)words[1]}" __complete $kind "\${given[@]}" 2>/dev/null)}"; do
      if [[ -z $word ]]; then continue; fi
      names+=("\${word%%$'\t'*}")
      abouts+=("\${word%%$'\t'*}  \${word#*$'\t'}")
    done
    if [[ $kind == place ]]; then
      compadd -S '' -l -d abouts -a names
      _files
    else
      compadd -l -d abouts -a names
    fi
    return
  fi
  if (( \${#values} )); then compadd -- "\${values[@]}"; else _files; fi
}
if [[ \${funcstack[1]} == _pyro ]]; then _pyro "$@"; else compdef _pyro pyro; fi
`;
}

function described(name: string, summary: string): string {
  return singleQuoted(`${name}:${summary.replaceAll(':', '\\:')}`);
}
