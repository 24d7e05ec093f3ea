// The smallest part of an input that still breaks a target in the same way, as far as a short time allows.
const longestMs = 20_000;

export async function minimise(input: Buffer, breaks: (candidate: Buffer) => Promise<boolean>): Promise<Buffer> {
  const deadline = performance.now() + longestMs;
  let smallest = input;
  for (let size = Math.ceil(input.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < smallest.length; ) {
      if (performance.now() > deadline) return smallest;
      const candidate = Buffer.concat([smallest.subarray(0, at), smallest.subarray(at + size)]);
      if (candidate.length > 0 && (await breaks(candidate))) smallest = candidate;
      else at += size;
    }
  }
  return smallest;
}
