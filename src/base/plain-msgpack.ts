/**
 * Says whether bytes are one plain msgpack value: nil, booleans, numbers, text, bytes, arrays and
 * maps, and nothing behind it. What a peer sends is looked at here before it is unpacked, because
 * the library also knows extensions that we never write, and some of them let a few bytes stand for
 * much: pointers make 768 bytes a tree of 10^12 leaves, record definitions become code. One pass,
 * no allocation. Pure; any thread.
 *
 *     00–7f int    80–8f map    90–9f array    a0–bf text     c0 nil    c2, c3 boolean
 *     c4–c6 bytes  ca, cb float cc–d3 int      d9–db text     dc, dd array    de, df map
 *     e0–ff int    d4 00 xx undefined, the one extension that we do write
 */

/** Bytes behind the token of values of a fixed size; -1: not such a value. */
const FIXED_BYTES = new Int8Array(256).fill(-1);
FIXED_BYTES.fill(0, 0x00, 0x80);
FIXED_BYTES.fill(0, 0xe0, 0x100);
for (let length = 0; length < 32; length++) FIXED_BYTES[0xa0 + length] = length;
for (const token of [0xc0, 0xc2, 0xc3]) FIXED_BYTES[token] = 0;
// Floats of 4 and 8 bytes, then unsigned and signed integers of 1, 2, 4 and 8.
for (const [i, size] of [4, 8, 1, 2, 4, 8, 1, 2, 4, 8].entries()) FIXED_BYTES[0xca + i] = size;

export function isPlainMsgpack(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  // Values still to come. Each takes a byte at least, so a lying count ends here.
  for (let left = 1; left > 0; left--) {
    if (left > end - at) return false;
    const token = bytes[at++] as number;
    const fixed = FIXED_BYTES[token] as number;
    if (fixed >= 0) {
      at += fixed;
      continue;
    }
    if (token < 0x90) left += 2 * (token & 0x0f);
    else if (token < 0xa0) left += token & 0x0f;
    else if (token === 0xd4) {
      if (bytes[at] !== 0) return false;
      at += 2;
    } else {
      const lengthBytes = lengthBytesOf(token);
      if (lengthBytes === 0 || lengthBytes > end - at) return false;
      const length = readLength(bytes, at, lengthBytes);
      at += lengthBytes;
      if (token >= 0xde) left += 2 * length;
      else if (token >= 0xdc) left += length;
      else at += length;
    }
  }
  return at === end;
}

/** Size of the length behind the token; 0 for a token that is not plain. */
function lengthBytesOf(token: number): number {
  switch (token) {
    case 0xc4:
    case 0xd9:
      return 1;
    case 0xc5:
    case 0xda:
    case 0xdc:
    case 0xde:
      return 2;
    case 0xc6:
    case 0xdb:
    case 0xdd:
    case 0xdf:
      return 4;
    default:
      return 0;
  }
}

function readLength(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = 0; i < size; i++) value = value * 256 + (bytes[at + i] as number);
  return value;
}
