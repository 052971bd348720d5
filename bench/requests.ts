/**
 * Requests as bytes, encoded once and sent again and again: what is measured is the broker, not an
 * encoder. A prepared request differs from its next use only in its correlation id, which lies at a
 * fixed place. Values are random bytes, so that nothing on the way can gain by compressing them.
 */
import { randomBytes } from 'node:crypto';
import { crc32c } from '#src/native/crc32c.js';
import { encodeRequestFrame } from '#src/protocol/frame.js';
import { fetchApi } from '#src/protocol/messages/fetch.js';
import { produceApi } from '#src/protocol/messages/produce.js';
import { encodeBatch } from '#src/records/batch.js';

/** Versions that both systems speak; the last ones without tag sections. */
export const PRODUCE_VERSION = 8;
export const FETCH_VERSION = 11;

const CLIENT_ID = 'lograft-bench';
/** Behind the length (4), API key (2) and version (2). */
const AT_CORRELATION_ID = 8;
const FETCH_WAIT_MS = 500;

/** An uncompressed batch of `count` records without keys. */
export function recordBatch(count: number, valueBytes: number): Buffer {
  const timestamp = Date.now();
  const records = Array.from({ length: count }, () => ({
    value: randomBytes(valueBytes),
    timestamp,
  }));
  return encodeBatch({ records }, crc32c);
}

/** A Produce request with acks=all for one partition. */
export function produceFrame(
  topic: string,
  partition: number,
  batch: Buffer,
  timeoutMs: number,
): Buffer {
  const records = { bytes: batch, start: 0, length: batch.length };
  const topicData = [{ name: topic, partitionData: [{ index: partition, records }] }];
  return encodeRequestFrame(produceApi, {
    apiVersion: PRODUCE_VERSION,
    correlationId: 0,
    clientId: CLIENT_ID,
    body: { transactionalId: null, acks: -1, timeoutMs, topicData },
  });
}

export function fetchFrame(
  topic: string,
  partition: number,
  fetchOffset: number,
  maxBytes: number,
  correlationId: number,
): Buffer {
  const partitions = [{ partition, fetchOffset, partitionMaxBytes: maxBytes }];
  return encodeRequestFrame(fetchApi, {
    apiVersion: FETCH_VERSION,
    correlationId,
    clientId: CLIENT_ID,
    body: {
      maxWaitMs: FETCH_WAIT_MS,
      minBytes: 1,
      maxBytes,
      topics: [{ topic, partitions }],
      forgottenTopicsData: [],
    },
  });
}

export function stampCorrelationId(frame: Buffer, correlationId: number): void {
  frame.writeInt32BE(correlationId, AT_CORRELATION_ID);
}
