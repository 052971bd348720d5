/**
 * Requests as bytes, encoded once and sent again and again: what is measured is the broker, not an
 * encoder. A prepared request differs from its next use only in its correlation id and partition,
 * which lie at fixed places. Values are random bytes, so that nothing on the way can gain by
 * compressing them.
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
/** In place of a partition; nothing that lies before it, names and small numbers, looks like it. */
const PARTITION_MARK = 0x7ffefdfc;
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

/** A Produce request with acks=all for one partition, sent again and again. */
export class PreparedProduce {
  readonly #bytes: Buffer;
  readonly #atPartition: number;

  constructor(topic: string, batch: Buffer, timeoutMs: number) {
    const records = { bytes: batch, start: 0, length: batch.length };
    const topicData = [{ name: topic, partitionData: [{ index: PARTITION_MARK, records }] }];
    this.#bytes = encodeRequestFrame(produceApi, {
      apiVersion: PRODUCE_VERSION,
      correlationId: 0,
      clientId: CLIENT_ID,
      body: { transactionalId: null, acks: -1, timeoutMs, topicData },
    });
    const mark = Buffer.alloc(4);
    mark.writeInt32BE(PARTITION_MARK);
    this.#atPartition = this.#bytes.indexOf(mark);
  }

  /** The bytes for this use; they must stay as they are until the response has come. */
  stamp(correlationId: number, partition: number): Buffer {
    this.#bytes.writeInt32BE(correlationId, AT_CORRELATION_ID);
    this.#bytes.writeInt32BE(partition, this.#atPartition);
    return this.#bytes;
  }
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
