/**
 * Writes records into one buffer: sizes first, so that nothing is copied twice and nothing grows.
 * Pure.
 */
import { Buffer } from 'node:buffer';
import type { WallMs } from '../base/units.js';
import type { RecordHeader, RecordInput } from './batch.js';
import { varintBytes, writeVarint } from './varint.js';

/** A record with its texts as bytes and its size known. */
export type Measured = {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** Name and value in turn. */
  readonly headers: readonly (Uint8Array | null)[];
  readonly timestampDelta: number;
  readonly offsetDelta: number;
  /** Behind the length that a record begins with. */
  readonly bodyBytes: number;
};

const NO_HEADERS: readonly (Uint8Array | null)[] = [];
const ATTRIBUTES_BYTES = 1;

export function measureRecord(
  record: RecordInput,
  offsetDelta: number,
  baseTimestamp: WallMs,
): Measured {
  const key = asBytes(record.key ?? null);
  const value = asBytes(record.value);
  const headers = headerFields(record.headers);
  const timestampDelta = (record.timestamp ?? -1) - baseTimestamp;
  let bodyBytes = ATTRIBUTES_BYTES + varintBytes(timestampDelta) + varintBytes(offsetDelta);
  bodyBytes += fieldBytes(key) + fieldBytes(value) + varintBytes(headers.length / 2);
  for (const field of headers) bodyBytes += fieldBytes(field);
  return { key, value, headers, timestampDelta, offsetDelta, bodyBytes };
}

export function recordBytes({ bodyBytes }: Measured): number {
  return varintBytes(bodyBytes) + bodyBytes;
}

/** Returns where the record ends. */
export function writeRecord(into: Buffer, start: number, record: Measured): number {
  let at = writeVarint(into, start, record.bodyBytes);
  into[at++] = 0;
  at = writeVarint(into, at, record.timestampDelta);
  at = writeVarint(into, at, record.offsetDelta);
  return writeTail(into, at, record);
}

/** What is behind the two deltas: it is the same wherever the record is in its batch. */
export function writeTail(into: Buffer, start: number, record: Measured): number {
  let at = writeField(into, start, record.key);
  at = writeField(into, at, record.value);
  at = writeVarint(into, at, record.headers.length / 2);
  for (const field of record.headers) at = writeField(into, at, field);
  return at;
}

function headerFields(headers: readonly RecordHeader[] | undefined) {
  if (headers === undefined || headers.length === 0) return NO_HEADERS;
  return headers.flatMap(({ key, value }) => [Buffer.from(key), value]);
}

function fieldBytes(field: Uint8Array | null): number {
  return field === null ? varintBytes(-1) : varintBytes(field.length) + field.length;
}

function writeField(into: Buffer, start: number, field: Uint8Array | null): number {
  if (field === null) return writeVarint(into, start, -1);
  const at = writeVarint(into, start, field.length);
  into.set(field, at);
  return at + field.length;
}

function asBytes(value: Uint8Array | string | null): Uint8Array | null {
  return typeof value === 'string' ? Buffer.from(value) : value;
}
