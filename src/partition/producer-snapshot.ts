/**
 * A partition's producers as bytes, for a clean stop: the next start then need not read the log.
 * The file is only ever a shortcut; when it does not parse, the log is read again. Pure.
 *
 *     int32 magic 'LGPS' | int16 version 1 | int64 endOffset | int32 n | n producers | uint32 CRC
 *     producer: int64 id | int16 epoch | int8 b (1..5) | b batches
 *     batch:    int32 firstSequence | int32 lastSequence | int64 baseOffset | int64 lastOffset
 *               | int64 timestamp
 *
 * All big-endian; the CRC covers everything in front of it.
 */
import { readInt64, readUint32, writeInt64, writeUint32 } from '../base/int64.js';
import type { Offset } from '../base/units.js';
import type { ProducerEntry, ProducerState, WindowBatch } from './producer-state.js';

const MAGIC = 0x4c475053;
const VERSION = 1;
const HEAD_BYTES = 18;
const PRODUCER_BYTES = 11;
const BATCH_BYTES = 32;
const CRC_BYTES = 4;

/** CRC32C of a range as uint32. */
export type Checksum = (bytes: Uint8Array, start: number, length: number) => number;

export type ProducerSnapshot = {
  readonly endOffset: Offset;
  readonly producers: readonly (readonly [number, ProducerEntry])[];
};

/** The state after every batch below `state.endOffset`. */
export function serialiseProducers(state: ProducerState, crc: Checksum): Buffer {
  const producers = [...state.entries()];
  let size = HEAD_BYTES + CRC_BYTES;
  for (const [, { batches }] of producers) size += PRODUCER_BYTES + batches.length * BATCH_BYTES;
  const bytes = Buffer.alloc(size);
  writeUint32(bytes, MAGIC, 0);
  bytes.writeInt16BE(VERSION, 4);
  writeInt64(bytes, state.endOffset, 6);
  writeUint32(bytes, producers.length, 14);
  let at = HEAD_BYTES;
  for (const [producerId, { producerEpoch, batches }] of producers) {
    writeInt64(bytes, producerId, at);
    bytes.writeInt16BE(producerEpoch, at + 8);
    bytes[at + 10] = batches.length;
    at += PRODUCER_BYTES;
    for (const batch of batches) {
      writeBatch(bytes, at, batch);
      at += BATCH_BYTES;
    }
  }
  writeUint32(bytes, crc(bytes, 0, at), at);
  return bytes;
}

/** What {@link serialiseProducers} wrote, or null when these bytes are not that, all of it. */
export function parseProducers(bytes: Uint8Array, crc: Checksum): ProducerSnapshot | null {
  const end = bytes.length - CRC_BYTES;
  if (end < HEAD_BYTES || crc(bytes, 0, end) !== readUint32(bytes, end)) return null;
  if (readUint32(bytes, 0) !== MAGIC || readInt16(bytes, 4) !== VERSION) return null;
  const count = readUint32(bytes, 14);
  const producers: [number, ProducerEntry][] = [];
  let at = HEAD_BYTES;
  for (let i = 0; i < count; i++) {
    const length = bytes[at + 10];
    if (length === undefined || length === 0) return null;
    const next = at + PRODUCER_BYTES + length * BATCH_BYTES;
    if (next > end) return null;
    const batches: WindowBatch[] = [];
    for (let b = at + PRODUCER_BYTES; b < next; b += BATCH_BYTES) batches.push(readBatch(bytes, b));
    const producerEpoch = readInt16(bytes, at + 8);
    const idleSinceMs = batches[batches.length - 1]?.timestamp ?? -1;
    producers.push([readInt64(bytes, at), { producerEpoch, batches, idleSinceMs }]);
    at = next;
  }
  return at === end ? { endOffset: readInt64(bytes, 6), producers } : null;
}

function writeBatch(bytes: Buffer, at: number, batch: WindowBatch): void {
  writeUint32(bytes, batch.firstSequence, at);
  writeUint32(bytes, batch.lastSequence, at + 4);
  writeInt64(bytes, batch.baseOffset, at + 8);
  writeInt64(bytes, batch.lastOffset, at + 16);
  writeInt64(bytes, batch.timestamp, at + 24);
}

function readBatch(bytes: Uint8Array, at: number): WindowBatch {
  return {
    firstSequence: readUint32(bytes, at),
    lastSequence: readUint32(bytes, at + 4),
    baseOffset: readInt64(bytes, at + 8),
    lastOffset: readInt64(bytes, at + 16),
    timestamp: readInt64(bytes, at + 24),
  };
}

function readInt16(bytes: Uint8Array, at: number): number {
  return (((bytes[at] as number) << 24) >> 16) | (bytes[at + 1] as number);
}
