// Results of calls as every host shows them: some show only the structure, some only the text, so both say the same.
import type { CallToolResult } from '@modelcontextprotocol/server';
import type { Outcome } from '../operations/define.ts';
import type { ErrorReport } from '../shared/errors.ts';
import { notesField } from './tools.ts';

export function successResult({ output, text }: Outcome, notes: readonly string[]): CallToolResult {
  const remarks = notes.map((note) => `note: ${note}\n`).join('');
  return {
    content: [{ type: 'text', text: `${remarks}${text}` }],
    structuredContent: notes.length === 0 ? { ...output } : { ...output, [notesField]: [...notes] },
  };
}

/**
 * A failed call. The report goes into a second block, not into the structure: clients that check the structure against
 * the output schema also when a call has failed would show their own complaint in place of this error.
 */
export function errorResult(report: ErrorReport): CallToolResult {
  const { code, message, hint, retryable } = report;
  const lines = [
    `error ${code}: ${message}`,
    ...(hint === null ? [] : [`hint: ${hint}`]),
    ...(retryable ? ['the same call may succeed later'] : []),
  ];
  return {
    isError: true,
    content: [
      { type: 'text', text: lines.join('\n') },
      { type: 'text', text: JSON.stringify({ error: report }) },
    ],
  };
}
