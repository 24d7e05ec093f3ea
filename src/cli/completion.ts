// `pyro completion`: the script that makes a shell complete commands, options and their values.
import { Argument, type Command } from 'commander';
import { bashScript } from './completion-bash.ts';
import { fishScript } from './completion-fish.ts';
import { type CompletionCommand, completionTree } from './completion-tree.ts';
import { zshScript } from './completion-zsh.ts';

const scripts = new Map<string, (tree: readonly CompletionCommand[]) => string>([
  ['bash', bashScript],
  ['zsh', zshScript],
  ['fish', fishScript],
]);

const examples = [
  '  source <(pyro completion bash)\n      For bash, in ~/.bashrc',
  '  pyro completion zsh > "$fpath[1]/_pyro"\n      For zsh, once',
  '  pyro completion fish > ~/.config/fish/completions/pyro.fish\n      For fish, once',
];

export const completionShells: readonly string[] = [...scripts.keys()];
export const completionSummary = 'Print the completion script for your shell';

/** The script is made from the whole tree, also from what is added to it after this. */
export function addCompletion(program: Command): void {
  program
    .command('completion')
    .summary(completionSummary)
    .description(`${completionSummary}.\nIt also completes the ids and names of what exists.`)
    .addHelpText('after', `\nExamples:\n${examples.join('\n')}`)
    .addArgument(new Argument('<shell>', 'Shell').choices(completionShells))
    .action((shell: string) => {
      const script = scripts.get(shell);
      // Where help goes too.
      if (script !== undefined) program.configureOutput().writeOut?.(script(completionTree(program)));
    });
}
