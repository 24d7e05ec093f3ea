// A page of docs/use-cases as the script of a recipe: its prompt, its server, its tools; and the place of a transcript.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../support/documents.ts';
import { type RunReport, transcriptTable } from './run-record.ts';

export interface UseCasePage {
  readonly prompt: string;
  /** Arguments of pyro that start the server */
  readonly server: readonly string[];
  /** Tools of its table, in order */
  readonly tools: readonly string[];
}

const begin = '<!-- transcript: written by a run with --pages -->';
const end = '<!-- end of transcript -->';
const longestCell = 64;

export function readPage(name: string): UseCasePage {
  const text = readFileSync(pathOf(name), 'utf8').split(begin)[0] ?? '';
  const [, prompt, command] = /^Prompt `([^`]+)`, server `pyro ([^`]+)`/m.exec(text) ?? [];
  if (prompt === undefined || command === undefined) throw new Error(`${name}.md does not name prompt and server`);
  const rows = text.split('\n').filter((line) => line.startsWith('| '));
  const cells = rows.map((row) => row.split(/(?<!\\)\|/)[2] ?? '');
  return { prompt, server: command.split(' '), tools: cells.flatMap((cell) => toolsIn(cell)) };
}

const notTools: ReadonlySet<string> = new Set([
  'workspace_id',
  'workspace_seed',
  'service_name',
  'snapshot_name',
  'shell_id',
]);

/** Names of tools in a text, in order. */
export function toolsIn(text: string): string[] {
  const names = text.match(/\b(?:workspace|service|shell|snapshot|vm)_[a-z]+(?:_[a-z]+)*\b/g) ?? [];
  return names.filter((name) => !notTools.has(name));
}

/** True when all of one list stand in the other in their order, whatever is between them. */
export function isWithin(part: readonly string[], whole: readonly string[]): boolean {
  let next = 0;
  for (const each of whole) if (each === part[next]) next++;
  return next === part.length;
}

export function writeTranscript(name: string, report: RunReport): void {
  const path = pathOf(name);
  const text = readFileSync(path, 'utf8');
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${name}.md has no place for a transcript`);
  const table = transcriptTable(report.steps, longestCell);
  writeFileSync(path, `${text.slice(0, from + begin.length)}\n${table}${text.slice(to)}`);
}

function pathOf(name: string): string {
  return join(root, 'docs', 'use-cases', `${name}.md`);
}
