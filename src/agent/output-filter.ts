// What an output passes on its way to whoever follows it.

/** Changes bytes of an output on their way; as many come out as went in. */
export interface OutputFilter {
  push(bytes: Buffer): Buffer;
  end(): Buffer;
}
