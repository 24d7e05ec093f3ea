// One line of input as a message, or the answer to what is none: whoever sent it is told why, by the id where it can be found.
import { type JSONRPCMessage, parseJSONRPCMessage } from '@modelcontextprotocol/server';
import { messageOf } from '../shared/errors.ts';
import { formatBytes } from '../shared/units.ts';
import type { MessageLine } from './message-lines.ts';

export type RequestId = string | number;

/** Why a line is no message, as JSON-RPC numbers it */
export interface Refusal {
  readonly code: number;
  readonly message: string;
  readonly id: RequestId | null;
}

/** Of JSON-RPC: what is no JSON, and what is no message */
const parseError = -32700;
const invalidRequest = -32600;

/** No message of ours is nested deeper than a few levels; what is read by recursion has an end */
const deepest = 100;
const longestId = 1000;

/** The message of a line; undefined for an empty one. */
export function readMessage(line: MessageLine, longest: number): JSONRPCMessage | Refusal | undefined {
  if ('head' in line) {
    const message = `a message of more than ${formatBytes(longest)}: send large content in pieces`;
    return { code: invalidRequest, message, id: idOfEnds(line.head.toString('utf8'), line.tail.toString('utf8')) };
  }
  if (line.bytes.length === 0) return undefined;
  let text: string;
  try {
    // Takes a byte order mark away, too.
    text = new TextDecoder('utf-8', { fatal: true }).decode(line.bytes);
  } catch {
    return { code: parseError, message: 'the message is not UTF-8', id: null };
  }
  if (text.trim() === '') return undefined;
  if (isTooDeep(line.bytes)) {
    const id = idOfEnds(text.slice(0, longestId), text.slice(-longestId));
    return { code: invalidRequest, message: `the message is nested deeper than ${deepest} levels`, id };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { code: parseError, message: `the line is not JSON: ${messageOf(error).slice(0, 200)}`, id: null };
  }
  if (Array.isArray(value)) {
    return { code: invalidRequest, message: 'batches are not taken: send each message on a line of its own', id: null };
  }
  const id = idOf(value);
  try {
    const message = parseJSONRPCMessage(value);
    if (!('id' in message) || String(message.id).length <= longestId) return message;
    return { code: invalidRequest, message: `an id of more than ${longestId} characters`, id: null };
  } catch {
    const message =
      'the line is not a JSON-RPC 2.0 message: it needs jsonrpc "2.0", a method, and an id unless it is a notification';
    return { code: invalidRequest, message, id };
  }
}

function idOf(value: unknown): RequestId | null {
  if (typeof value !== 'object' || value === null || !('id' in value)) return null;
  const { id } = value;
  if (typeof id === 'number') return Number.isSafeInteger(id) ? id : null;
  return typeof id === 'string' && id.length <= longestId ? id : null;
}

/** The id of a message that is not read: hosts write it before the parameters, or last. */
function idOfEnds(head: string, tail: string): RequestId | null {
  const found =
    /^\s*\{\s*(?:"(?:jsonrpc|method)"\s*:\s*"[^"\\]*"\s*,\s*)*"id"\s*:\s*(-?\d{1,15}|"[^"\\]*")\s*,/.exec(head) ??
    /,\s*"id"\s*:\s*(-?\d{1,15}|"[^"\\]*")\s*(?:,\s*"(?:jsonrpc|method)"\s*:\s*"[^"\\]*"\s*)*\}\s*$/.exec(tail);
  const [, word] = found ?? [];
  return word === undefined ? null : word.startsWith('"') ? word.slice(1, -1) : Number(word);
}

/** Looks at the bytes alone: a value that is nested so deeply is not even made. */
function isTooDeep(bytes: Buffer): boolean {
  let depth = 0;
  let isText = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (isText) {
      if (byte === 0x5c) at++;
      else if (byte === 0x22) isText = false;
    } else if (byte === 0x22) isText = true;
    else if (byte === 0x5b || byte === 0x7b) {
      depth++;
      if (depth > deepest) return true;
    } else if (byte === 0x5d || byte === 0x7d) depth--;
  }
  return false;
}
