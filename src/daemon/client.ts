// The way from a front to the engine. For now the engine lives in the front's own process and is loaded on first use.
import type { Engine } from '../engine/engine-types.ts';

export async function connectEngine(): Promise<Engine> {
  const { createLocalEngine } = await import('../engine/local-engine.ts');
  return createLocalEngine();
}
