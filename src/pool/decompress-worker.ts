/** The worker of {@link Decompressor}: one batch in, its plain payload out. Own thread. */
import { decompress } from './codecs.js';
import type { DecompressTask } from './decompressor.js';

export function unpack({ codec, payload }: DecompressTask): Uint8Array {
  return decompress(codec, payload);
}
