// env.*: the catalogue of environments and their local cache.

import {
  envInspectInput,
  envInspectOutput,
  envListInput,
  envListOutput,
  envPruneInput,
  envPruneOutput,
  envPullInput,
  envPullOutput,
} from '../contract/environments.ts';
import { formatFacts, formatTable } from '../shared/table.ts';
import { formatBytes } from '../shared/units.ts';
import { defineOperation } from './define.ts';

export const envList = defineOperation({
  name: 'env.list',
  title: 'List environments',
  summary: 'List the catalogue and what is cached',
  details: 'Any OCI image reference works as well as a name from the catalogue.',
  effect: 'read',
  place: 'front',
  positionals: [],
  input: envListInput,
  output: envListOutput,
  examples: [{ why: 'What there is', command: 'pyro env list' }],
  run: async ({ engine }) => ({ environments: await engine.listEnvironments() }),
  render: ({ environments }, width) =>
    `${formatTable(
      [
        ['NAME', 'CACHED', 'SIZE', 'DESCRIPTION'],
        ...environments.map((each) => [
          each.name,
          each.source ?? '-',
          each.image_bytes === null ? '-' : formatBytes(each.image_bytes),
          each.description,
        ]),
      ],
      width,
    )}\n`,
});

export const envInspect = defineOperation({
  name: 'env.inspect',
  title: 'Inspect an environment',
  summary: 'Show source, digest and configuration of an environment',
  details: 'The digest is pinned: a later pull says whether it changed.',
  effect: 'read',
  place: 'front',
  positionals: ['environment'],
  input: envInspectInput,
  output: envInspectOutput,
  examples: [{ why: 'Where debian:12 came from', command: 'pyro env inspect debian:12' }],
  run: async ({ engine }, { environment }) => ({ ...(await engine.inspectEnvironment(environment)) }),
  render: (output, width) =>
    `${formatFacts(
      [
        ['name', output.name],
        ['reference', output.reference],
        ['cached', output.installed ? `yes, from ${output.source}` : `no; get it with: pyro env pull ${output.name}`],
        ['digest', output.digest ?? '-'],
        ['size', output.image_bytes === null ? '-' : formatBytes(output.image_bytes)],
        ['working dir', output.working_dir || '/'],
        ['user', output.user || 'root'],
        ['packages', output.packages.join(' ') || '-'],
      ],
      width,
    )}\n`,
});

export const envPull = defineOperation({
  name: 'env.pull',
  title: 'Pull an environment',
  summary: 'Pull an environment into the local cache',
  details:
    'Takes a name from the catalogue or any OCI reference. The Debian environments can be built from Debian packages: with --source auto when the registry does not answer, debian:12-dev always.',
  effect: 'write',
  place: 'front',
  positionals: ['environment'],
  input: envPullInput,
  output: envPullOutput,
  examples: [
    { why: 'The default environment', command: 'pyro env pull debian:12' },
    { why: 'Without any registry', command: 'pyro env pull debian:12 --source packages' },
  ],
  run: async (context, input) => await context.engine.pullEnvironment(input, context),
  ids: ({ name }) => [name],
  render: (output) => {
    const words = {
      pulled: 'pulled',
      built: 'built from Debian packages',
      up_to_date: 'up to date',
      changed: `changed, was ${output.previous_digest}`,
    };
    return `${output.name}: ${words[output.outcome]}, ${formatBytes(output.image_bytes)}, ${output.digest.slice(0, 19)}\n`;
  },
});

export const envPrune = defineOperation({
  name: 'env.prune',
  title: 'Prune the cache',
  summary: 'Remove what nothing uses from the local cache',
  details:
    'Removes merged layers, images without a name, and templates that have no environment or were not used for a month; with --all, everything cached.',
  effect: 'destroy',
  place: 'front',
  positionals: [],
  input: envPruneInput,
  output: envPruneOutput,
  examples: [
    { why: 'Free some space', command: 'pyro env prune' },
    { why: 'What would it do?', command: 'pyro env prune --dry-run' },
  ],
  run: async ({ engine }, input) => await engine.pruneEnvironments(input),
  render: ({ removed, freed_bytes: freed, dry_run: isDryRun }) =>
    `${removed.map((each) => `${isDryRun ? 'would remove' : 'removed'} ${each}\n`).join('')}${isDryRun ? 'would free' : 'freed'} ${formatBytes(freed)}\n`,
});
