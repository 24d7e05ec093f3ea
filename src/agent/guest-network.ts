// The guest's network as the host switches it, and connections from the host to services of the guest.
import { randomBytes } from 'node:crypto';
import { type ClientHttp2Stream, constants } from 'node:http2';
import { Duplex } from 'node:stream';
import { z } from 'zod';
import { PyroError } from '../shared/errors.ts';
import { type CallOptions, expectSuccess } from './answers.ts';
import type { GuestClient } from './guest-client.ts';

const networkAnswerSchema = z.object({ proxy: z.string().max(64) });

export interface GuestNetworkAccess {
  /** Secret of hellos on the network port */
  readonly magic: Buffer;
  /** Where programs of the guest find the proxy, host:port */
  readonly proxy: string;
}

/** Starts what the guest needs for its way out. It may be called again: the agent then takes another magic. */
export async function enableGuestNetwork(client: GuestClient, options: CallOptions = {}): Promise<GuestNetworkAccess> {
  const magic = randomBytes(16);
  const body = { enabled: true, magic: magic.toString('base64') };
  const { proxy } = await client.call('POST', '/v1/network', body, networkAnswerSchema, options);
  return { magic, proxy };
}

/** Connects to a port of the guest's loopback. Throws `guest_refused` when nobody listens there. */
export async function connectToGuest(client: GuestClient, port: number, options: CallOptions = {}): Promise<Duplex> {
  const stream = client.open('POST', `/v1/connect?port=${port}`, options);
  await expectSuccess(stream, options);
  return new GuestConnection(stream);
}

const headerBytes = 4;
/** Longest piece of a connection, `bytes` */
const longestPiece = 65_536;

/** A connection whose incoming side comes in pieces, so that its end is told before the stream's own. */
class GuestConnection extends Duplex {
  readonly #stream: ClientHttp2Stream;
  #rest: Buffer = Buffer.alloc(0);
  #hasEnded = false;

  constructor(stream: ClientHttp2Stream) {
    super({ allowHalfOpen: true });
    this.#stream = stream;
    stream.on('data', (chunk: Buffer) => this.#take(chunk));
    stream.once('close', () => {
      if (!this.#hasEnded) this.destroy(new PyroError('guest_unreachable', 'the connection to the guest was lost'));
    });
  }

  override _read(): void {
    this.#stream.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#stream.write(chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#stream.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // A stream that has ended both ways is closed already; any other is broken off.
    this.#stream.close(error === null && this.#hasEnded ? constants.NGHTTP2_NO_ERROR : constants.NGHTTP2_CANCEL);
    done(error);
  }

  #take(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= headerBytes) {
      const length = this.#rest.readUInt32BE(0);
      if (length > longestPiece || this.#hasEnded) {
        this.destroy(new PyroError('guest_protocol', `the guest sent a piece of ${length} bytes`));
        return;
      }
      if (this.#rest.length < headerBytes + length) return;
      const piece = this.#rest.subarray(headerBytes, headerBytes + length);
      this.#rest = this.#rest.subarray(headerBytes + length);
      if (length === 0) {
        this.#hasEnded = true;
        this.push(null);
      } else if (!this.push(piece)) this.#stream.pause();
    }
  }
}
