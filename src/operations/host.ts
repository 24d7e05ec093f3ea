// doctor and demo: is this machine ready, and what the product does on it.

import { demoInput, demoOutput, doctorInput, doctorOutput, prepareInput, prepareOutput } from '../contract/machine.ts';
import { formatTable } from '../shared/table.ts';
import { formatDuration } from '../shared/units.ts';
import { defineOperation } from './define.ts';
import { checkDaemon } from './doctor-daemon.ts';

export const doctor = defineOperation({
  name: 'doctor',
  title: 'Check this machine',
  summary: 'Check every prerequisite and say how to fix what is missing',
  details: 'Exit code 0 when guests can run, 1 when something prevents it. Works even with everything broken.',
  effect: 'read',
  place: 'front',
  positionals: [],
  input: doctorInput,
  output: doctorOutput,
  examples: [{ why: 'Before the first use', command: 'pyro doctor' }],
  run: async ({ engine, daemon, signal, onProgress }, { environment }) => {
    const checks = await engine.doctor(environment, { signal, onProgress });
    if (daemon !== undefined) checks.push(await checkDaemon(daemon, signal));
    return { ready: checks.every(({ status }) => status !== 'fail'), checks };
  },
  render: ({ ready, checks }) => {
    const marks = { ok: 'ok  ', warn: 'warn', fail: 'FAIL' };
    const lines = checks.map(({ name, status, message, why, fix }) => {
      const more = status === 'ok' ? '' : `\n      why: ${why}${fix === null ? '' : `\n      fix: ${fix}`}`;
      return `${marks[status]}  ${name}: ${message}${more}`;
    });
    return `${lines.join('\n')}\n\n${ready ? 'ready' : 'not ready: fix what is marked FAIL'}\n`;
  },
  exitCode: ({ ready }) => (ready ? 0 : 1),
});

export const demo = defineOperation({
  name: 'demo',
  title: 'Show what pyro does',
  summary: 'Create, start, exec and delete a guest, and time each step',
  details: 'Pulls debian:12 first if it is not cached.',
  effect: 'write',
  place: 'front',
  positionals: [],
  input: demoInput,
  output: demoOutput,
  examples: [{ why: 'Everything in a minute', command: 'pyro demo' }],
  run: async ({ engine, signal, onProgress }, { environment }) =>
    await engine.demo(environment, { signal, onProgress }),
  render: ({ accelerator, reason, steps }) =>
    `${formatTable([['STEP', 'TIME', 'NOTE'], ...steps.map(({ step, ms, note }) => [step, formatDuration(ms), note])])}\n\naccelerator: ${accelerator} (${reason})\n`,
});

export const prepare = defineOperation({
  name: 'prepare',
  title: 'Make an environment warm',
  summary: 'Pull an environment, and prove boot, exec and reset once',
  details: 'Afterwards no agent waits for a boot, and doctor says warm. A second call only proves.',
  effect: 'write',
  place: 'front',
  positionals: ['environment'],
  input: prepareInput,
  output: prepareOutput,
  examples: [{ why: 'Before the first work of a day', command: 'pyro prepare' }],
  run: async ({ engine, signal, onProgress }, { environment, force }) => ({
    ...(await engine.prepare(environment, force, { signal, onProgress })),
  }),
  render: (output) =>
    `${output.environment}: warm (${output.accelerator})\n${formatTable([
      ['templates', output.built ? `built in ${formatDuration(output.template_ms)}` : 'were there'],
      ['start', formatDuration(output.start_ms)],
      ['reset', formatDuration(output.reset_ms)],
      ['digest', output.digest.slice(0, 19)],
    ])}\n`,
});
