// The golden messages that the Go side reads too: each fits its schema and comes out of it unchanged.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import * as files from '../../../src/agent/file-messages.ts';
import * as messages from '../../../src/agent/messages.ts';
import { refusalReportSchema } from '../../../src/network/refusal-reports.ts';

const schemas: Readonly<Record<string, z.ZodType>> = {
  resume_request: messages.resumeRequestSchema,
  resume_answer: messages.resumeAnswerSchema,
  activate_request: messages.activateRequestSchema,
  activate_answer: messages.activateAnswerSchema,
  start_request: messages.startRequestSchema,
  process: messages.processInfoSchema,
  process_list: messages.processListSchema,
  input_answer: messages.inputAnswerSchema,
  resize_request: messages.terminalSizeSchema,
  signal_request: messages.signalRequestSchema,
  status_answer: messages.statusAnswerSchema,
  empty_answer: messages.emptyAnswerSchema,
  error_answer: messages.guestErrorSchema,
  started_event: messages.startedEventSchema,
  gap_event: messages.gapEventSchema,
  exit_event: messages.exitEventSchema,
  file_list: files.listingSchema,
  write_answer: files.writeAnswerSchema,
  replace_request: files.replaceRequestSchema,
  replace_answer: files.replaceAnswerSchema,
  changes_request: files.changesRequestSchema,
  pack_request: files.packRequestSchema,
  change_head: files.changeHeadSchema,
  change_end: files.changeEndSchema,
  changes_end: files.changesEndSchema,
  changes_failure: messages.guestErrorSchema,
  tree_manifest: files.treeManifestSchema,
  unpack_answer: files.unpackAnswerSchema,
  tree_item: files.treeItemSchema,
  differences: files.differencesSchema,
  probe_request: messages.probeRequestSchema,
  probe_answer: messages.probeAnswerSchema,
  thaw_answer: files.thawAnswerSchema,
  grow_answer: files.growAnswerSchema,
  refusal_report: refusalReportSchema,
};

const vectors = z
  .array(z.object({ name: z.string(), message: z.string(), json: z.record(z.string(), z.unknown()) }))
  .parse(JSON.parse(readFileSync(new URL('../../vectors/wire.json', import.meta.url), 'utf8')));

describe('wire vectors', () => {
  it.each(vectors.map((vector) => [vector.name, vector] as const))('%s', (_name, { message, json }) => {
    expect(schemas[message]?.parse(json)).toEqual(json);
  });

  it('cover every message', () => {
    expect(new Set(vectors.map(({ message }) => message))).toEqual(new Set(Object.keys(schemas)));
  });
});
