/**
 * How the engine is set up for seeds that run one after the other. A run is short and many kinds of
 * work take part in it, so that compiling is over a quarter of the processor's time in the first
 * 15 s: less is inlined. Small buffers, of which a simulated disk is made, come from larger slabs.
 * Changes speed alone: nothing that a seed does depends on it. Main thread.
 */
import { setFlagsFromString } from 'node:v8';

/** The engine's own bound is 920. */
const INLINED_BYTECODE_MAX = 300;
const SLAB_BYTES = 64 << 10;

export function tuneEngine(): void {
  setFlagsFromString(`--max-inlined-bytecode-size-cumulative=${INLINED_BYTECODE_MAX}`);
  Buffer.poolSize = SLAB_BYTES;
}
