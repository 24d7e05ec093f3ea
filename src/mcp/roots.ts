// The folders that the host names as its roots, asked once and only by a call that needs them, in both protocol eras.

import type { Server, ServerContext } from '@modelcontextprotocol/server';
import {
  CLIENT_CAPABILITIES_META_KEY,
  type InputRequiredResult,
  inputRequired,
  inputResponse,
} from '@modelcontextprotocol/server';
import { z } from 'zod';

export interface Roots {
  /** Addresses of the roots, or what to answer so that the client sends them with its next try */
  readonly ask: (context: ServerContext) => Promise<readonly string[] | InputRequiredResult>;
  /** They have changed: ask again */
  readonly forget: () => void;
}

/** A host that does not answer must not hold up the call for longer. */
const answerMs = 3000;
const mostRoots = 1000;
const key = 'roots';
const envelopeSchema = z.object({ [CLIENT_CAPABILITIES_META_KEY]: z.object({ roots: z.object({}) }) });

/** The kit's own schema refuses all roots for one that is no `file:` address. */
const listSchema = z.object({ roots: z.array(z.unknown()) });
const rootSchema = z.object({ uri: z.string() });

function addressesOf(roots: readonly unknown[]): string[] {
  return roots.slice(0, mostRoots).flatMap((root) => rootSchema.safeParse(root).data?.uri ?? []);
}

export function createRoots(server: Server): Roots {
  let known: readonly string[] | undefined;
  const askLegacy = async (): Promise<readonly string[]> => {
    if (server.getClientCapabilities()?.roots === undefined) return [];
    try {
      const { roots } = await server.request({ method: 'roots/list' }, listSchema, { timeout: answerMs });
      return addressesOf(roots);
    } catch {
      // A host may declare roots and not answer: the next source of the project is asked.
      return [];
    }
  };
  return {
    ask: async ({ mcpReq }) => {
      if (known !== undefined) return known;
      if (mcpReq.envelope === undefined) {
        known = await askLegacy();
        return known;
      }
      if (!envelopeSchema.safeParse(mcpReq.envelope).success) return [];
      if (mcpReq.inputResponses === undefined) {
        return inputRequired({ inputRequests: { [key]: inputRequired.listRoots() } });
      }
      const view = inputResponse(mcpReq.inputResponses, key);
      known = view.kind === 'roots' ? addressesOf(view.roots) : [];
      return known;
    },
    forget: () => {
      known = undefined;
    },
  };
}
