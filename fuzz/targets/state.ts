// Files of pyro's own that a crash, a full disk or somebody else has left in any state.
import { ok as holds, deepStrictEqual as same } from 'node:assert';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommandLog } from '../../src/engine/commands/command-log.ts';
import { MemoryLedger } from '../../src/engine/guests/memory-ledger.ts';
import { readEvents } from '../../src/engine/output/events.ts';
import { appliedKeys, forgetApplied, readApplied } from '../../src/engine/workspace/applied-record.ts';
import { layerUse, readRecord, workspaceFiles, writeRecord } from '../../src/engine/workspace/workspace-record.ts';
import { ConnectionLog, readConnectionLog } from '../../src/network/connection-log.ts';
import { operations } from '../../src/operations/index.ts';
import { settingsFor } from '../../src/operations/settings.ts';
import { sweepDrafts } from '../../src/system/drafts.ts';
import { identifySelf } from '../../src/system/processes.ts';
import { readSettings, settingsPath } from '../../src/system/settings-file.ts';
import { stateFiles } from '../examples-state.ts';
import { type Target, tolerateLater } from '../target.ts';

const folder = mkdtempSync(join(tmpdir(), 'pyro-fuzz-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const files = workspaceFiles(folder);

/** Each reads a file that has the input as its content. */
const readers: readonly ((input: Buffer) => Promise<void>)[] = [
  async (input) => {
    await writeFile(files.record, input);
    const record = await tolerateLater(() => readRecord(files));
    if (record === undefined) return;
    layerUse(record);
    await writeRecord(files, record);
    same(await readRecord(files), record);
  },
  async (input) => {
    await writeFile(files.events, input);
    for (const { at, detail } of await readEvents(files.events))
      holds(typeof at === 'number' && typeof detail === 'string');
  },
  async (input) => {
    await writeFile(join(folder, 'applied.json'), input);
    const keys = await appliedKeys(folder);
    const states = await readApplied(folder, '/target');
    holds([...states].every(([key, state]) => keys.includes(key) && typeof state === 'string'));
    await forgetApplied(folder, 5);
  },
  async (input) => {
    await mkdir(files.commands, { recursive: true });
    await writeFile(join(files.commands, '000003.json'), input);
    await writeFile(join(files.commands, '000003.running'), '');
    const log = await CommandLog.open(files.commands);
    for await (const record of log.newest()) holds(Number.isSafeInteger(record.sequence));
    for (const record of log.running()) holds(record.ended_at === null);
    const next = await log.begin('x', '/', undefined);
    holds(next.sequence > 3);
    await rm(files.commands, { recursive: true });
  },
  async (input) => {
    await writeFile(files.network, input);
    const log = await ConnectionLog.open(files.network);
    const { attempts } = await readConnectionLog(files.network, { limit: 1000 });
    holds(attempts.every(({ sequence }) => sequence > 0 && sequence <= log.lastSequence));
    log.begin({ name: 'x', port: 1, address: null, verdict: 'denied', rule: 'r', reason: null, process: null });
    holds(Number.isSafeInteger(log.lastSequence));
    await log.flush();
  },
  async (input) => {
    await mkdir(files.drafts, { recursive: true });
    await writeFile(join(files.drafts, 'a.json'), input);
    await sweepDrafts(files.drafts);
  },
];

export const state: Target = {
  isSlow: true,
  examples: stateFiles,
  words: [
    '"version":1',
    '"ended_at":null',
    'null',
    '"paths":{',
    '"end":',
    '"made":["/',
    '"moved":{"from":"',
    '"layers":{',
  ],
  run: async (input) => {
    for (const read of readers) await read(input);
  },
};

const ledgerFolder = join(folder, 'memory');
const self = identifySelf();

export const ledger: Target = {
  isSlow: true,
  examples: [
    `[{"id":"a","mem_mib":512},{"id":null,"mem_mib":1}]`,
    `[{"id":"b","mem_mib":5,"process":${JSON.stringify(self)}}]`,
    `[{"id":"c","mem_mib":5,"process":{"pid":1,"start_ticks":1}}]`,
  ].map((text) => Buffer.from(text)),
  words: ['"mem_mib":', '"process":{', '"pid":', '"start_ticks":'],
  run: async (input) => {
    mkdirSync(ledgerFolder, { recursive: true });
    // One of a process that runs, one of a process that is gone.
    await writeFile(join(ledgerFolder, `${self.pid}-${self.start_ticks}-00000000.json`), input);
    await writeFile(join(ledgerFolder, `4194304-1-00000000.json`), input);
    const own = new MemoryLedger(ledgerFolder);
    own.alone((notes) => {
      for (const { holders } of notes)
        for (const { memMib } of holders) holds(Number.isSafeInteger(memMib) && memMib >= 0);
      own.write([{ id: 'x', memMib: 5 }]);
    });
    own.write([]);
  },
};

export const config: Target = {
  examples: [
    '{"mem_mib":2048,"vcpu_count":2,"network_policy":"off"}',
    '{"environment":"debian:12","ttl_seconds":0}',
    '{"allow":["a"]}',
  ].map((text) => Buffer.from(text)),
  words: operations.flatMap(({ definition }) => definition.settings ?? []).map((name) => `"${name}":`),
  run: async (input) => {
    process.env['PYRO_HOME'] = folder;
    const path = settingsPath();
    holds(path.startsWith(folder));
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, input);
    const stored = await tolerateLater(readSettings);
    if (stored === undefined) return;
    for (const operation of operations) await tolerateLater(async () => settingsFor(operation, stored, path));
  },
};
