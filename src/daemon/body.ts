// The body of a request, bounded and checked.
import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';
import { PyroError } from '../shared/errors.ts';
import { hintCall } from '../shared/hint-words.ts';
import { longestBody } from './protocol.ts';

/** Parsed body. Throws `usage` for one that is too long, no JSON, or of another shape. */
export async function readBody<T>(request: IncomingMessage, schema: z.ZodType<T>): Promise<T> {
  const chunks: Buffer[] = [];
  let size = Number(request.headers['content-length'] ?? 0);
  let received = 0;
  if (size <= longestBody) {
    for await (const chunk of request) {
      if (!Buffer.isBuffer(chunk)) continue;
      received += chunk.length;
      size = Math.max(size, received);
      if (received > longestBody) break;
      chunks.push(chunk);
    }
  }
  if (size > longestBody) {
    throw new PyroError('usage', `a request of more than ${longestBody} bytes`, {
      hint: `send large content in pieces, or as a file with: ${hintCall('workspace.sync.push')}`,
    });
  }
  let value: unknown;
  try {
    value = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (cause) {
    throw new PyroError('usage', 'the request body is not JSON', { cause });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => `${path.map(String).join('.')}: ${message}`);
  throw new PyroError('usage', `the request body is not valid: ${faults.slice(0, 5).join('; ')}`);
}
