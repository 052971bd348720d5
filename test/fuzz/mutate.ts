/**
 * Damage as data: bytes that were valid once, and what a lying peer, a bad disk or a cut does to
 * them. A list of edits shrinks to the one that matters. Pure.
 */
import fc from 'fast-check';

/** Places are fractions, so that one edit means something for bytes of any length. */
export type Edit =
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  | { readonly kind: 'set'; readonly at: number; readonly bytes: string }
  | { readonly kind: 'insert'; readonly at: number; readonly bytes: string }
  | { readonly kind: 'remove'; readonly at: number; readonly length: number }
  | { readonly kind: 'repeat'; readonly at: number; readonly length: number }
  | { readonly kind: 'cut'; readonly at: number };

/** Lengths, counts and numbers that lie, in the encodings that our formats use. */
const LIES = [
  '00000000',
  '7fffffff',
  '80000000',
  'ffffffff',
  'fffffffe',
  '01ffffff',
  '00ffffff',
  '7fff',
  '8000',
  'ffff',
  'ffffffff0f',
  'ffffffff07',
  '80808080808080808001',
  'ffffffffffffffffff01',
  '7fffffffffffffff',
  '8000000000000000',
  '0020000000000000',
  '000000ffffffffff',
  'ddffffffff',
  'dd00ffffff',
  'dfffffffff',
  'c6ffffffff',
  'dbffffffff',
  '31653939',
] as const;

const place = fc.nat(9_999);
const someBytes = fc.oneof(
  fc.constantFrom(...LIES),
  fc.uint8Array({ minLength: 1, maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString('hex')),
);
const length = fc.integer({ min: 1, max: 40 });

const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at: place, bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('set' as const), at: place, bytes: someBytes }),
  fc.record({ kind: fc.constant('insert' as const), at: place, bytes: someBytes }),
  fc.record({ kind: fc.constantFrom('remove' as const, 'repeat' as const), at: place, length }),
  fc.record({ kind: fc.constant('cut' as const), at: place }),
);

export const edits: fc.Arbitrary<readonly Edit[]> = fc.array(edit, { minLength: 1, maxLength: 6 });
/** One edit: what a single bad sector or a single lie does. */
export const oneEdit: fc.Arbitrary<readonly Edit[]> = fc.array(edit, {
  minLength: 1,
  maxLength: 1,
});
export const garbage: fc.Arbitrary<Buffer> = fc
  .uint8Array({ maxLength: 200 })
  .map((bytes) => Buffer.from(bytes));

/** A damaged copy. */
export function damaged(original: Uint8Array, list: readonly Edit[]): Buffer {
  let bytes: Buffer = Buffer.from(original);
  for (const one of list) bytes = apply(bytes, one);
  return bytes;
}

/** The first byte that differs, or -1 when none does. */
export function firstDifference(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length);
  for (let at = 0; at < shorter; at++) if (a[at] !== b[at]) return at;
  return a.length === b.length ? -1 : shorter;
}

function apply(bytes: Buffer, one: Edit): Buffer {
  const at = Math.floor((one.at / 10_000) * (bytes.length + 1));
  switch (one.kind) {
    case 'flip':
      if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << one.bit);
      return bytes;
    case 'set':
      Buffer.from(one.bytes, 'hex').copy(bytes, at);
      return bytes;
    case 'insert':
      return joined(bytes.subarray(0, at), Buffer.from(one.bytes, 'hex'), bytes.subarray(at));
    case 'remove':
      return joined(bytes.subarray(0, at), bytes.subarray(at + one.length));
    case 'repeat':
      return joined(bytes.subarray(0, at + one.length), bytes.subarray(at));
    case 'cut':
      return bytes.subarray(0, at);
  }
}

function joined(...parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat(parts);
}
