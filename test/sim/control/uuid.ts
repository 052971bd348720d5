/** Ids as the broker makes them, from a seed. */
import type { Prng } from '#src/base/prng.js';

export function uuidFrom(random: Prng): string {
  const bytes = Buffer.alloc(16);
  for (let i = 0; i < 16; i += 4) bytes.writeUInt32BE(random.uint32(), i);
  // Never starts with "-".
  bytes[0] = (bytes[0] as number) & 0x7f;
  return bytes.toString('base64url');
}
