/**
 * CRC32C (Castagnoli), the checksum of record batches and of our own frames. Runs on the calling
 * thread; picks the CPU's own instruction where there is one (30 GB/s against 2 of the tables).
 */
import { native } from './addon.js';

/** Checksum of `bytes[start, start + length)` as uint32; `seed` continues an earlier one. */
export function crc32c(bytes: Uint8Array, start: number, length: number, seed = 0): number {
  return native.crc32c(bytes, start, length, seed);
}

/** Names of what this CPU can run, the one in use first ('sse42', 'armv8' or 'table'). */
export function crcImplementations(): string[] {
  return native.crcImplementations();
}
