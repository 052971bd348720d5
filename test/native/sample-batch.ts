/** Record batches for the addon's tests, written by hand so that each field can be made to lie. */
import { crc32c } from '#src/native/crc32c.js';

export type SampleRecord = {
  readonly offsetDelta: number;
  readonly timestampDelta: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [string, string | null])[];
};

export const SAMPLE_BASE_TIMESTAMP = 1_700_000_000_000;

export function varint(value: number): Buffer {
  let bits = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
  const out: number[] = [];
  for (; bits >= 0x80n; bits >>= 7n) out.push(Number(bits & 0x7fn) | 0x80);
  out.push(Number(bits));
  return Buffer.from(out);
}

function sized(bytes: Buffer | null): Buffer {
  return bytes === null ? varint(-1) : Buffer.concat([varint(bytes.length), bytes]);
}

export function encodeRecord(record: SampleRecord): Buffer {
  const headers = record.headers.flatMap(([name, value]) => [
    sized(Buffer.from(name)),
    sized(value === null ? null : Buffer.from(value)),
  ]);
  const body = Buffer.concat([
    Buffer.from([0]),
    varint(record.timestampDelta),
    varint(record.offsetDelta),
    sized(record.key),
    sized(record.value),
    varint(record.headers.length),
    ...headers,
  ]);
  return sized(body);
}

export function sampleRecords(count: number): SampleRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    offsetDelta: i,
    timestampDelta: i * 2,
    key: i % 2 === 0 ? null : Buffer.from(`key-${i}`),
    value: i % 5 === 4 ? null : Buffer.from(`value of record ${i}`),
    headers: i % 3 === 0 ? [] : [['trace', `${i}`] as const, ['none', null] as const],
  }));
}

/** A valid batch of `payload` that claims `count` records; `change` may spoil it before the CRC. */
export function sealBatch(
  count: number,
  payload: Buffer,
  change: (batch: Buffer) => void = () => undefined,
): Buffer {
  const header = Buffer.alloc(61);
  header.writeInt32BE(-1, 12);
  header.writeInt8(2, 16);
  header.writeInt32BE(count - 1, 23);
  header.writeBigInt64BE(BigInt(SAMPLE_BASE_TIMESTAMP), 27);
  header.writeBigInt64BE(BigInt(SAMPLE_BASE_TIMESTAMP + (count - 1) * 2), 35);
  header.writeBigInt64BE(-1n, 43);
  header.writeInt16BE(-1, 51);
  header.writeInt32BE(-1, 53);
  header.writeInt32BE(count, 57);
  const batch = Buffer.concat([header, payload]);
  batch.writeInt32BE(batch.length - 12, 8);
  change(batch);
  return reseal(batch);
}

export function sampleBatch(count: number, change?: (batch: Buffer) => void): Buffer {
  return sealBatch(count, Buffer.concat(sampleRecords(count).map(encodeRecord)), change);
}

export function reseal(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch, 21, batch.length - 21), 17);
  return batch;
}
