/**
 * Calls a decoder with bytes that may be anything, and holds it to its promise: it throws only what
 * it may throw, makes no room for promised lengths, and ends. Memory is what V8 counts before and
 * after, so a decoder that allocates and then throws is seen too; time is the processor's, measured
 * again when the clock says it was long, because the machine may be busy. One thread.
 */
import { getHeapStatistics } from 'node:v8';

/** Bytes a decoder may allocate whatever the input is, and per byte of input. */
const ALLOCATED_BASE = 2 << 20;
const ALLOCATED_PER_BYTE = 512;
/** Inputs are a few kilobytes; what takes this long grows faster than its input. */
const SECONDS_MAX = 0.5;

export type Decoded<T> = { readonly value: T } | { readonly error: Error };

/** Runs `decode` over an input of `inputBytes`; errors that `isOwn` does not know are thrown on. */
export function guarded<T>(
  inputBytes: number,
  isOwn: (error: unknown) => boolean,
  decode: () => T,
): Decoded<T> {
  const startMs = performance.now();
  const before = allocatedBytes();
  const result = attempt(isOwn, decode);
  const allocated = allocatedBytes() - before;
  const allowed = ALLOCATED_BASE + ALLOCATED_PER_BYTE * inputBytes;
  if (allocated > allowed) {
    throw new Error(`${allocated} bytes allocated for an input of ${inputBytes}`);
  }
  if (performance.now() - startMs > SECONDS_MAX * 1000) mustBeQuick(isOwn, decode);
  return result;
}

function attempt<T>(isOwn: (error: unknown) => boolean, decode: () => T): Decoded<T> {
  try {
    return { value: decode() };
  } catch (error) {
    if (isOwn(error)) return { error: error as Error };
    throw error;
  }
}

function mustBeQuick<T>(isOwn: (error: unknown) => boolean, decode: () => T): void {
  const before = process.cpuUsage();
  attempt(isOwn, decode);
  const { user, system } = process.cpuUsage(before);
  const seconds = (user + system) / 1e6;
  if (seconds > SECONDS_MAX) throw new Error(`decoding took ${seconds} s of processor time`);
}

/** A collection in between makes this smaller, never larger: it can hide, not accuse. */
function allocatedBytes(): number {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}
