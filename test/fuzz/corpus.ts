/**
 * Where libFuzzer begins: valid batches, frames and plans of many shapes, made here from a fixed
 * seed. Nothing binary is kept in the repository, and nothing comes from another program. Pure.
 */
import { gzipSync } from 'node:zlib';
import { Prng } from '#src/base/prng.js';
import { crc32c } from '#src/native/crc32c.js';
import { BATCH_HEADER_BYTES, encodeBatch, type RecordInput } from '#src/records/batch.js';
import { writeVarint } from '#src/records/varint.js';

const ENTRIES = 60;
const PLAIN_ENTRIES_MAX = 400;

/** Inputs for a C++ target, in the form that its harness takes them. */
export function corpusOf(target: string): Buffer[] {
  const prng = new Prng(1);
  const entries = Array.from({ length: ENTRIES }, (_, i) => entryOf(target, i, prng));
  return entries.filter((bytes) => bytes.length <= PLAIN_ENTRIES_MAX * 2);
}

function entryOf(target: string, i: number, prng: Prng): Buffer {
  switch (target) {
    case 'batch':
      return batchInput(i, prng);
    case 'varint':
      return varints(prng);
    case 'frame-reader':
      return frames(prng);
    case 'record-cutter':
      return recordLines(i, prng);
    case 'record-teller':
      return toldBatches(i, prng);
    default:
      return someBytes(prng, prng.int(1, 80));
  }
}

/** mode u8 | offset u64 | epoch u32 | batch */
function batchInput(i: number, prng: Prng): Buffer {
  const head = someBytes(prng, 13);
  head[0] = i % 8;
  return Buffer.concat([head, i % 5 === 4 ? compressed(prng) : plainBatch(i, prng)]);
}

/** mode u8 | from u8 | most u8 | batches */
function toldBatches(i: number, prng: Prng): Buffer {
  const head = Buffer.of(i % 2, i % 4 === 0 ? prng.int(0, 9) : 0, prng.int(0, 9));
  const batches = Array.from({ length: prng.int(1, 3) }, (_, n) => {
    const records = Array.from({ length: prng.int(1, 4) }, () => someRecord(prng));
    return encodeBatch({ records, baseOffset: 4 * n }, crc32c);
  });
  return Buffer.concat([head, ...batches]);
}

function plainBatch(i: number, prng: Prng): Buffer {
  const isIdempotent = i % 3 === 0;
  const records = Array.from({ length: prng.int(1, 5) }, () => someRecord(prng));
  const producer = isIdempotent
    ? {
        producerId: prng.int(0, 1000),
        producerEpoch: prng.int(0, 9),
        baseSequence: prng.int(0, 99),
      }
    : {};
  return encodeBatch({ records, baseOffset: prng.int(0, 1e6), ...producer }, crc32c);
}

function compressed(prng: Prng): Buffer {
  const plain = encodeBatch({ records: [someRecord(prng), someRecord(prng)] }, crc32c);
  const head = plain.subarray(0, BATCH_HEADER_BYTES);
  const batch = Buffer.concat([head, gzipSync(plain.subarray(BATCH_HEADER_BYTES))]);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt16BE(1, 21);
  batch.writeUInt32BE(crc32c(batch, 21, batch.length - 21), 17);
  return batch;
}

function someRecord(prng: Prng): RecordInput {
  const headers = Array.from({ length: prng.int(0, 3) }, (_, i) => ({
    key: `h${i}`,
    value: i === 0 ? null : someBytes(prng, prng.int(0, 6)),
  }));
  return {
    key: prng.int(0, 2) === 0 ? null : someBytes(prng, prng.int(0, 9)),
    value: prng.int(0, 4) === 0 ? null : someBytes(prng, prng.int(0, 60)),
    timestamp: prng.int(0, 2) === 0 ? 1_700_000_000_000 + prng.int(0, 9_999) : prng.int(0, 200),
    headers,
  };
}

/** steps u8 | that many kinds | numbers */
function varints(prng: Prng): Buffer {
  const numbers = Buffer.alloc(12 * 10);
  let length = 0;
  const count = prng.int(1, 12);
  for (let i = 0; i < count; i++) {
    const bits = prng.int(0, 52);
    const value = (prng.int(0, 2) === 0 ? 1 : -1) * Math.floor(prng.float() * 2 ** bits);
    length = writeVarint(numbers, length, value);
  }
  const head = [Buffer.of(count), someBytes(prng, count)];
  return Buffer.concat([...head, numbers.subarray(0, length)]);
}

/** slab u8 (0x80: one is raw) | limit u8 | reads u8 | that many read sizes | commands */
function frames(prng: Prng): Buffer {
  const reads = prng.int(0, 20);
  const slab = prng.int(0, 5) | (prng.chance(0.25) ? 0x80 : 0);
  const head = Buffer.of(slab, prng.int(8, 24), reads);
  return Buffer.concat([head, someBytes(prng, reads), someBytes(prng, prng.int(2, 40))]);
}

const LINES = [
  '{"key":"k","value":"v","partition":0,"timestamp":1700000000000}',
  '{"value":{"a":[1.5e-3,true,null,"\\"]},"offset":[{}]}',
  '{"key":"\\ud83d\\ude00\\ud800/é😀","headers":{"a":1,"b":""}}',
  '{"key":"/w==","keyEncoding":"base64","headers":[{"key":"h","value":"AA==","encoding":"utf8"}]}',
  ' { "\\u0076alue" : "x" , "valueEncoding" : "utf8" } ',
];

/** mode u8 | partitions u8 | lines, or an array */
function recordLines(i: number, prng: Prng): Buffer {
  const list = Array.from({ length: prng.int(1, 4) }, () => prng.pick(LINES));
  const isArray = i % 2 === 1;
  const body = isArray ? `[${list.join(',')}]` : list.join(prng.chance(0.5) ? '\n' : '\r\n');
  return Buffer.concat([Buffer.of(isArray ? 1 : 0, prng.int(0, 9)), Buffer.from(body)]);
}

function someBytes(prng: Prng, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => prng.int(0, 256)));
}
