// Looking names up and dialling exactly the addresses that were judged: there is no second look-up.
import { lookup } from 'node:dns/promises';
import { connect, type Socket } from 'node:net';
import { type Address, parseAddress } from './address.ts';
import { hostName } from './allow-rule.ts';
import type { Target } from './target.ts';

/** Gives the addresses of a name, in any notation; throws when there are none. */
export type Resolver = (name: string) => Promise<readonly string[]>;

/** Most addresses of one name that are judged and tried */
const mostAddresses = 16;
const resolveTimeoutMs = 10_000;
const dialTimeoutMs = 10_000;

/** As any program of this machine would look a name up, with its hosts file. */
export const systemResolver: Resolver = async (name) => {
  const found = await lookup(name, { all: true, verbatim: true });
  return found.map(({ address }) => address);
};

/** Addresses to judge. What does not parse is kept out, and a name with nothing else has none. */
export async function addressesOf(target: Target, resolver: Resolver): Promise<readonly Address[]> {
  if (target.kind === 'address') return [target.address];
  if (target.name === hostName) return [{ text: '127.0.0.1', family: 4 }];
  const texts = await withDeadline(resolver(target.name), resolveTimeoutMs);
  const addresses = texts.slice(0, mostAddresses).map((text) => parseAddress(text));
  // One that is not understood spoils the name: it might be dialled by someone who reads it differently.
  return addresses.every((address) => address !== undefined) ? addresses : [];
}

/** Connects to the first address that answers. Throws the last failure. */
export async function dial(addresses: readonly Address[], port: number, signal: AbortSignal): Promise<Socket> {
  let failure: unknown = new Error('there is no address to dial');
  for (const address of addresses) {
    signal.throwIfAborted();
    try {
      return await dialOne(address, port, signal);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

async function dialOne(address: Address, port: number, signal: AbortSignal): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect({ host: address.text, port, family: address.family, allowHalfOpen: true, noDelay: true });
  const timer = setTimeout(() => reject(new Error(`no answer within ${dialTimeoutMs} ms`)), dialTimeoutMs);
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  socket.once('connect', () => resolve(socket));
  socket.once('error', reject);
  try {
    return await promise;
  } catch (error) {
    socket.on('error', () => undefined).destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

async function withDeadline<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`the name was not resolved within ${timeoutMs} ms`)), timeoutMs);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
