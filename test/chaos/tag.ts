/**
 * What a chaos record says: who wrote it, in which batch, at which place, then filler that follows
 * from these three. So a changed byte anywhere in a value is seen without keeping the value.
 */
import { crc32c } from '#src/native/crc32c.js';
import { type BatchInput, encodeBatch } from '#src/records/batch.js';

export type Tag = { readonly writer: number; readonly batch: number; readonly index: number };

const FILLER_BYTES_MAX = 160;

export function tagValue({ writer, batch, index }: Tag): string {
  const head = `w${writer}.b${batch}.r${index}.`;
  const seed = mix(mix(writer + 1) ^ mix(batch + 7) ^ mix(index + 13));
  let filler = '';
  for (let x = seed; filler.length < seed % FILLER_BYTES_MAX; x = mix(x)) filler += x.toString(36);
  return head + filler;
}

/** A batch of so many records, each with its tag; `producer` is an idempotent producer's part. */
export function encodeTagged(
  { writer, batch }: Omit<Tag, 'index'>,
  count: number,
  producer: Omit<BatchInput, 'records'> = {},
): Buffer {
  const timestamp = Date.now();
  const records = Array.from({ length: count }, (_, index) => ({
    key: null,
    value: Buffer.from(tagValue({ writer, batch, index })),
    headers: [],
    timestamp,
  }));
  return encodeBatch({ records, ...producer }, crc32c);
}

/** The tag that a value claims to carry; whether the rest fits it is the caller's question. */
export function parseTag(value: string): Tag | null {
  const match = /^w(\d+)\.b(\d+)\.r(\d+)\./.exec(value);
  if (match === null) return null;
  return { writer: Number(match[1]), batch: Number(match[2]), index: Number(match[3]) };
}

/** A 32-bit finaliser: neighbours in, strangers out. */
function mix(x: number): number {
  let h = x | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
