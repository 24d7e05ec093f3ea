// Recipe: two attempts at the same task in machines of their own, the same check in both, the better patch home.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type Recipe, textIn } from './recipe.ts';

const head = '#!/bin/sh\n# Says its words in lower case.\n';
const alphaText = `${head}echo "$*" | tr A-Z a-z\n`;
const betaText = `${head}echo "$*" | sed 's/M/m/'\n`;
const listSchema = z.array(
  z.looseObject({ workspace_id: z.string(), labels: z.record(z.string(), z.string()).default({}) }),
);

export const parallelWorkspaces: Recipe = {
  name: 'parallel-workspaces',
  page: 'parallel-workspaces',
  files: {
    'lower.sh': `${head}echo "$*"\n`,
    'check.sh':
      '#!/bin/sh\n# The test of this project.\nsaid=$(sh lower.sh Make IT so)\n[ "$said" = "make it so" ] && echo passed && exit 0\necho "got: $said"\nexit 1\n',
  },
  run: async ({ project, create, call, onHost, check }) => {
    const [alpha, beta] = await Promise.all(
      ['alpha', 'beta'].map(async (name) => textIn(await create(name, { attempt: name }), 'workspace_id')),
    );
    if (alpha === undefined || beta === undefined) throw new Error('two workspaces were asked for');
    const path = 'lower.sh';
    await call('workspace_file_write', { workspace_id: alpha, path, text: alphaText });
    await call('workspace_file_write', { workspace_id: beta, path, text: betaText });
    const read = async (id: string): Promise<unknown> =>
      (await call('workspace_file_read', { workspace_id: id, path }))['content'];
    check('alpha has its own attempt', await read(alpha), alphaText);
    check('beta has its own attempt', await read(beta), betaText);
    const exec = (id: string, command: string): Promise<unknown> =>
      call('workspace_exec', { workspace_id: id, command });
    const [passed, failed] = await Promise.all([exec(alpha, 'sh check.sh'), exec(beta, 'sh check.sh')]);
    check('the same check passes for alpha', passed, { exit_code: 0, stdout: 'passed\n' });
    check('the same check fails for beta', failed, { exit_code: 1, stdout: 'got: make IT so\n' });
    const long = { workspace_id: beta, command: 'echo beta > /tmp/mark; exec sleep 4999', wait_seconds: 0 };
    check('beta has a long command under way', await call('workspace_exec', long), { running: true });
    const count = 'pgrep -cfx "sleep 4999"';
    const look = `ls /tmp/mark; ${count}`;
    check(
      'beta sees its file and its process',
      await exec(beta, `until ${count} > /dev/null; do sleep 0.1; done; ${look}`),
      {
        exit_code: 0,
        stdout: '/tmp/mark\n1\n',
      },
    );
    check('alpha sees neither', await exec(alpha, look), { exit_code: 1, stdout: '0\n' });
    await call('workspace_update', { workspace_id: beta, labels: { state: 'failed' } });
    await call('workspace_update', { workspace_id: alpha, labels: { state: 'passed' } });
    await call('workspace_diff', { workspace_id: beta });
    const diff = await call('workspace_diff', { workspace_id: alpha });
    const listed = await call('workspace_list', { label: 'attempt' });
    const ours = listSchema.parse(listed['workspaces']).filter(({ workspace_id: id }) => id === alpha || id === beta);
    check(
      'the list has both with their state, the last used first',
      ours.map(({ labels }) => `${labels['attempt']} ${labels['state']}`),
      ['alpha passed', 'beta failed'],
    );
    writeFileSync(join(project, 'alpha.patch'), textIn(diff, 'patch'));
    check('the better patch applies to the checkout', await onHost('git apply alpha.patch'), { exitCode: 0 });
    check('the check passes at home', await onHost('sh check.sh'), { exitCode: 0, output: 'passed\n' });
    for (const [name, id] of Object.entries({ alpha, beta })) {
      check(`${name} is gone`, await call('workspace_delete', { workspace_id: id }), { deleted: true });
    }
  },
};
