// Sizes, durations and counts as people read them.

export const kibibyte = 1024;
export const mebibyte = 1024 * kibibyte;
export const gibibyte = 1024 * mebibyte;

/** `1536` -> `1.5 KiB`. */
export function formatBytes(bytes: number): string {
  if (bytes < kibibyte) return `${Math.round(bytes)} B`;
  if (bytes < mebibyte) return `${trim(bytes / kibibyte)} KiB`;
  if (bytes < gibibyte) return `${trim(bytes / mebibyte)} MiB`;
  return `${trim(bytes / gibibyte)} GiB`;
}

/** `1234` -> `1.23 s`, `56` -> `56 ms`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(2)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

function trim(value: number): string {
  return value >= 100 ? String(Math.round(value)) : value.toFixed(1);
}

/** A number with its noun: `1 entry`, `2 entries`. The plural ends in s unless given. */
export function formatCount(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** `403 files, 1.2 MiB`. */
export function formatIgnored({ files, bytes }: { readonly files: number; readonly bytes: number }): string {
  return `${formatCount(files, 'file')}, ${formatBytes(bytes)}`;
}
