/**
 * Cuts a body of many records into finished blocks, and makes batches of blocks, each in one native
 * call. Promise: what is cut here is what the HTTP door's own reading of the same bytes gives
 * (gateway/http/record-bodies.ts); whatever that would refuse, and a little more, is a fault, and
 * the words for it are that reading's. Runs on the calling thread; the rules stand in
 * `native/core/record_cutter.h`, the form of a block in `native/core/record_blocks.h`.
 */
import {
  HTTP_BLOCK_PLACE_BYTES,
  HTTP_BLOCK_PLACES_MAX,
  HTTP_TURN_BATCH_BYTES_MAX,
} from '../base/limits.js';
import type { WallMs } from '../base/units.js';
import { native } from './addon.js';
import { BATCH_HEADER_BYTES } from './batch.js';
import { NATIVE_CONSTANTS } from './constants.js';

/** What is wrong with a body. The order is part of the border to C++. */
const CUT_FAULTS = Object.freeze([
  'NONE',
  'NOT_UTF8',
  'NOT_JSON',
  'NOT_RECORD',
  'TOO_MANY',
  'EMPTY',
  'UNKNOWN_PARTITION',
  /** Nothing may be wrong with it: it is seldom seen, and not judged here. */
  'UNUSUAL',
] as const);

export type CutFault = (typeof CUT_FAULTS)[number];

export type CutRequest = {
  /** An array of records, else lines. */
  readonly isArray: boolean;
  readonly partitions: number;
  /** For records that name none; null: by key. */
  readonly partition: number | null;
  /** For records without a key; null: a body with one of them is unusual. */
  readonly anyPartition: number | null;
  readonly nowMs: WallMs;
};

/** The records of one partition. */
export type CutShare = {
  readonly partition: number;
  readonly records: number;
  readonly blocks: Uint8Array;
};

export type CutBody = {
  readonly fault: 'NONE';
  readonly records: number;
  /** In the order in which their partitions appear. */
  readonly shares: readonly CutShare[];
  /** Index of the share that each record went to; null when there is but one. */
  readonly shareOf: Int32Array | null;
  /** Where the blocks lie. */
  readonly place: Buffer;
};

export type CutFailure = {
  readonly fault: Exclude<CutFault, 'NONE'>;
  /** Line, from 1, or index in the array, of the first record that has it. */
  readonly place: number;
};

const AT_PLACE = 0;
const AT_RECORDS = 1;
const AT_SHARES = 2;
const AT_BYTES = 3;
const HEAD_FIELDS = 4;
const SHARE_FIELDS = 3;
const INT32_MAX = 2 ** 31 - 1;

/** What the last call found; overwritten by the next one. */
const fields = new Int32Array(HEAD_FIELDS + (SHARE_FIELDS + 1) * NATIVE_CONSTANTS.CUT_RECORDS_MAX);
native.setCutFields(fields);

/** For blocks to come: see {@link BatchSealer}. */
const places: Buffer[] = [];

export function cutRecords(
  bytes: Uint8Array,
  start: number,
  length: number,
  { isArray, partitions, partition, anyPartition, nowMs }: CutRequest,
): CutBody | CutFailure {
  const any = anyPartition ?? -1;
  // What does not fit is the number of no partition either way.
  const wanted = Math.min(partition ?? -1, INT32_MAX);
  const code = native.cutRecords(bytes, start, length, isArray, partitions, wanted, any, nowMs);
  const fault = CUT_FAULTS[code] ?? 'UNUSUAL';
  if (fault !== 'NONE') return { fault, place: fields[AT_PLACE] as number };
  const blockBytes = fields[AT_BYTES] as number;
  const place = placeFor(blockBytes);
  native.takeBlocks(place.subarray(0, blockBytes));
  const records = fields[AT_RECORDS] as number;
  const shareCount = fields[AT_SHARES] as number;
  const shares: CutShare[] = [];
  let field = HEAD_FIELDS;
  let at = 0;
  for (let i = 0; i < shareCount; i++, field += SHARE_FIELDS) {
    const end = at + (fields[field + 2] as number);
    shares.push({
      partition: fields[field] as number,
      records: fields[field + 1] as number,
      blocks: place.subarray(at, end),
    });
    at = end;
  }
  const shareOf = shareCount === 1 ? null : fields.slice(field, field + records);
  return { fault, records, shares, shareOf, place };
}

/** Nobody will look into the blocks again. */
export function releaseBlocks({ place }: CutBody): void {
  const isUsual = place.length === HTTP_BLOCK_PLACE_BYTES;
  if (isUsual && places.length < HTTP_BLOCK_PLACES_MAX) places.push(place);
}

/** One uncompressed batch of all the records in `blocks`, in their order. */
export function sealBatch(blocks: readonly Uint8Array[], records: number): Uint8Array {
  const into = Buffer.allocUnsafe(sealedBytesMax(blocks, records));
  return into.subarray(0, native.sealBatch(blocks, records, into));
}

/**
 * The same again and again in one place: new memory for each batch, tens of megabytes a second,
 * would have the collector at work all the time.
 */
export class BatchSealer {
  readonly #place = Buffer.allocUnsafeSlow(HTTP_TURN_BATCH_BYTES_MAX);

  /** Good until the next call. */
  seal(blocks: readonly Uint8Array[], records: number): Uint8Array {
    if (sealedBytesMax(blocks, records) > this.#place.length) return sealBatch(blocks, records);
    return this.#place.subarray(0, native.sealBatch(blocks, records, this.#place));
  }
}

function sealedBytesMax(blocks: readonly Uint8Array[], records: number): number {
  const size = blocks.reduce((sum, { length }) => sum + length, BATCH_HEADER_BYTES);
  return size + records * NATIVE_CONSTANTS.RECORD_GROWTH_MAX;
}

function placeFor(bytes: number): Buffer {
  if (bytes > HTTP_BLOCK_PLACE_BYTES) return Buffer.allocUnsafeSlow(bytes);
  return places.pop() ?? Buffer.allocUnsafeSlow(HTTP_BLOCK_PLACE_BYTES);
}
