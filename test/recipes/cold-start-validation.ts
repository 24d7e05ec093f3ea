// Recipe: what the README of a project promises is tried in a clean machine, its program started, a report brought home.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Recipe, textIn } from './recipe.ts';

const program = String.raw`use strict;
use IO::Socket::INET;
$| = 1;
my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 8080, Listen => 8, ReuseAddr => 1)
  or die "no port: $!";
open my $ready, '>', '.app-ready' or die "no file: $!";
close $ready;
print "service started\n";
while (my $client = $socket->accept) {
  while (<$client>) { last if /^\r?\n$/ }
  print $client "HTTP/1.0 200 OK\r\n\r\nservice=ready\n";
  close $client;
}
`;

export const coldStartValidation: Recipe = {
  name: 'cold-start-validation',
  page: 'cold-start-repo-validation',
  files: {
    'README.md': '# Answers\n\nCheck it, then start it:\n\n    sh validate.sh\n    sh serve.sh\n',
    'validate.sh':
      '#!/bin/sh\n# Checks what is needed to run.\nset -e\nperl -c app.pl 2>&1\necho validation=pass > validation-report.txt\necho validated\n',
    'serve.sh': '#!/bin/sh\n# Starts the program; .app-ready is there once it takes connections.\nexec perl app.pl\n',
    'app.pl': program,
    '.gitignore': '.env\n',
  },
  uncommitted: { '.env': 'TOKEN=of-this-machine\n' },
  run: async ({ project, create, call, check }) => {
    const created = await create('cold-start');
    const id = textIn(created, 'workspace_id');
    check('the checkout went in, without what Git ignores', created['workspace_seed'], {
      mode: 'git',
      origin_kind: 'cwd',
      entry_count: 5,
      left_out: { ignored: 1 },
    });
    const readme = await call('workspace_file_read', { workspace_id: id, path: 'README.md' });
    check('the README names its commands', readme['content'], /sh validate\.sh\n[\s\S]*sh serve\.sh\n/);
    const validated = await call('workspace_exec', { workspace_id: id, command: 'sh validate.sh' });
    check('its check passes in a clean machine', validated, { exit_code: 0 });
    check('its check says so', validated['stdout'], /\bvalidated\n$/);
    const service = { workspace_id: id, service_name: 'app' };
    const started = await call('service_start', { ...service, command: 'sh serve.sh', ready_file: '.app-ready' });
    check('its program runs once it is ready', started, { state: 'running', readiness: [{ type: 'file' }] });
    const probe = 'curl -sS http://127.0.0.1:8080/';
    const answered = await call('workspace_exec', { workspace_id: id, command: probe });
    check('its program answers', answered, { exit_code: 0, stdout: 'service=ready\n' });
    const logs = await call('service_logs', service);
    check('its output is there', logs['stdout'], /^service started$/m);
    const report = 'validation-report.txt';
    await call('workspace_export', { workspace_id: id, path: report, output_path: report });
    check('the report is at home', readFileSync(join(project, report), 'utf8'), 'validation=pass\n');
    check('the service stops', await call('service_stop', service), { state: 'stopped' });
    check('the workspace is gone', await call('workspace_delete', { workspace_id: id }), { deleted: true });
  },
};
