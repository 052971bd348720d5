/**
 * Reads partitions batch by batch through the Kafka protocol and notes what was served. A
 * `Follower` runs beside the faults; `readAll` reads everything at the end, each record included.
 * Every fetch names the newest leader epoch its client knows, so that its answers bind the broker.
 */
import { createHash } from 'node:crypto';
import { crc32c } from '#src/native/crc32c.js';
import { ERROR, errorInfo } from '#src/protocol/errors.js';
import { fetchApi } from '#src/protocol/messages/fetch.js';
import type { Decoded } from '#src/protocol/schema.js';
import {
  BATCH_HEADER_BYTES,
  type BatchHeader,
  isSound,
  nextOffsetOf,
  readBatchHeader,
} from '#src/records/batch.js';
import { iterateRecords } from '#src/records/records.js';
import type { KafkaClient } from '../support/kafka-client.js';
import { ConnectionLost } from '../support/kafka-connection.js';
import { sleep, waitFor } from '../support/wait-for.js';
import type { HistoryEvent } from './history/events.js';
import type { History } from './history/history.js';

const FETCH_VERSION = 11;
const FETCH_BYTES = 1 << 20;
const FETCH_WAIT_MS = 500;
const FETCH_TIMEOUT_MS = 4_000;
const RETRY_MS = 100;

export type FetchedBatch = BatchHeader & { readonly nextOffset: number; readonly bytes: Buffer };

export type Fetched = {
  readonly highWatermark: number;
  readonly logStartOffset: number;
  /** Whole batches; the first may begin before the offset asked for. */
  readonly batches: readonly FetchedBatch[];
};

export type PartitionName = { readonly topic: string; readonly partition: number };

/** Leaders may still move back to their preferred nodes: asks again, bounded. */
function latestOffset(client: KafkaClient, { topic, partition }: PartitionName): Promise<number> {
  return waitFor(`the end of ${topic}:${partition}`, async () => {
    await client.refresh();
    return client.latestOffset(topic, partition);
  });
}

/** Reads one partition from the start for as long as it is not stopped. */
export class Follower {
  readonly #client: KafkaClient;
  readonly #name: PartitionName;
  readonly #history: History;
  #isStopped = false;
  #offset = 0;

  constructor(client: KafkaClient, name: PartitionName, history: History) {
    this.#client = client;
    this.#name = name;
    this.#history = history;
  }

  async run(): Promise<void> {
    const partition = keyOf(this.#name);
    const reader = 'follower';
    this.#history.note({ kind: 'seek', reader, partition, offset: 0 });
    while (!this.#isStopped) {
      const fetched = await tryFetch(this.#client, this.#name, this.#offset, this.#history);
      for (const batch of fetched?.batches ?? []) {
        const { baseOffset: from, nextOffset: to } = batch;
        this.#history.note({ kind: 'given', reader, partition, from, to });
        noteRecords(this.#history, partition, batch, false);
        this.#offset = to;
      }
      if (fetched === null || fetched.batches.length === 0) await sleep(RETRY_MS);
    }
  }

  stop(): void {
    this.#isStopped = true;
  }
}

/** Reads a partition from its log start to the high watermark, which it returns. */
export async function readAll(
  client: KafkaClient,
  name: PartitionName,
  history: History,
): Promise<{ readonly logStartOffset: number; readonly highWatermark: number }> {
  const partition = keyOf(name);
  const reader = 'judge';
  const highWatermark = await latestOffset(client, name);
  const { logStartOffset } = await mustFetch(client, name, 0, history, false);
  history.note({ kind: 'seek', reader, partition, offset: logStartOffset });
  let offset = logStartOffset;
  while (offset < highWatermark) {
    const { batches } = await mustFetch(client, name, offset, history, true);
    for (const batch of batches) {
      const { baseOffset: from, nextOffset: to } = batch;
      history.note({ kind: 'given', reader, partition, from, to });
      noteRecords(history, partition, batch, true);
      offset = to;
    }
  }
  history.note({ kind: 'end', reader, partition, offset: highWatermark });
  return { logStartOffset, highWatermark };
}

async function mustFetch(
  client: KafkaClient,
  name: PartitionName,
  offset: number,
  history: History,
  isFinal: boolean,
): Promise<Fetched> {
  let reason = '';
  const onFailure = (text: string): void => {
    reason = text;
  };
  for (let tries = 0; tries < 100; tries++) {
    const fetched = await tryFetch(client, name, offset, history, { isFinal, onFailure });
    // A leader of a moment ago may not know yet that everything up to here is committed.
    if (fetched !== null && (!isFinal || fetched.batches.length > 0)) return fetched;
    if (fetched !== null) reason = `nothing, with high watermark ${fetched.highWatermark}`;
    await sleep(RETRY_MS);
    // Leaders may still move back to their preferred nodes.
    await client.refresh();
  }
  throw new Error(`nobody serves ${keyOf(name)} from offset ${offset}: ${reason}`);
}

export type FetchOptions = {
  /** Part of the last reading, which sees every batch that stays. */
  readonly isFinal?: boolean;
  readonly maxWaitMs?: number;
  readonly maxBytes?: number;
  /** Hears why an attempt led nowhere. */
  readonly onFailure?: (reason: string) => void;
};

/** Null when this attempt led nowhere: no leader, no connection, or an error worth another try. */
export async function tryFetch(
  client: KafkaClient,
  { topic, partition }: PartitionName,
  fetchOffset: number,
  history: History,
  options: FetchOptions = {},
): Promise<Fetched | null> {
  const { isFinal = false, maxWaitMs = FETCH_WAIT_MS, maxBytes = FETCH_BYTES } = options;
  const leader = client.leaderOf(topic, partition);
  if (leader === null) return null;
  const op = history.nextOp();
  const { leaderEpoch: epoch } = leader;
  const key = keyOf({ topic, partition });
  const question = 'fetch';
  history.note({ kind: 'asked', op, partition: key, question, epoch, offset: fetchOffset });
  try {
    const connection = await client.connectionTo(leader.nodeId);
    const wanted = {
      partition,
      currentLeaderEpoch: epoch,
      fetchOffset,
      partitionMaxBytes: maxBytes,
    };
    const body = {
      maxWaitMs,
      minBytes: 1,
      maxBytes,
      topics: [{ topic, partitions: [wanted] }],
    };
    const answer = await connection.request(fetchApi, FETCH_VERSION, body, FETCH_TIMEOUT_MS);
    const found = answer.responses[0]?.partitions[0];
    if (found === undefined) throw new Error(`answer without ${key}`);
    if (found.errorCode !== ERROR.NONE) {
      options.onFailure?.(
        `node ${leader.nodeId}, epoch ${epoch}: ${errorInfo(found.errorCode).name}`,
      );
    }
    return noteFetchAnswer(found, { op, key, fetchOffset, isFinal }, history);
  } catch (error) {
    history.note({ kind: 'gave-up', op });
    if (!(error instanceof ConnectionLost)) throw error;
    options.onFailure?.(error.message);
    return null;
  }
}

type FetchResponse = Decoded<typeof fetchApi.response>;
type PartitionAnswer = FetchResponse['responses'][number]['partitions'][number];
type Asked = {
  /** Of the question, which was noted. */
  readonly op: number;
  readonly key: string;
  readonly fetchOffset: number;
  readonly isFinal: boolean;
};

/** Null when the answer is an error. */
export function noteFetchAnswer(
  found: PartitionAnswer,
  asked: Asked,
  history: History,
): Fetched | null {
  const { op, key, fetchOffset, isFinal } = asked;
  const { errorCode, highWatermark, lastStableOffset, logStartOffset, records } = found;
  if (errorCode === ERROR.OFFSET_OUT_OF_RANGE) {
    history.note({ kind: 'out-of-range', op, logStartOffset });
    return null;
  }
  if (errorCode !== ERROR.NONE) {
    const { name, isRetriable } = errorInfo(errorCode);
    if (!isRetriable) throw new Error(`fetch ${key}@${fetchOffset}: ${name}`);
    history.note({ kind: 'gave-up', op });
    return null;
  }
  history.note({ kind: 'told', op, highWatermark, lastStableOffset, logStartOffset, epoch: -1 });
  const batches = records === null ? [] : splitBatches(records, key, { highWatermark, isFinal });
  if (history.toleratesDamage && isDamaged(batches, Math.max(fetchOffset, logStartOffset))) {
    history.note({ kind: 'damaged', partition: key });
    return null;
  }
  for (const { event } of batches) history.note(event);
  const wanted = batches.filter(({ batch }) => batch.nextOffset > fetchOffset);
  return { highWatermark, logStartOffset, batches: wanted.map(({ batch }) => batch) };
}

/** Base offset, length and epoch come before it. */
const AFTER_LEADER_EPOCH = 16;

type View = { readonly bytes: Buffer; readonly start: number; readonly length: number };

/** Base offsets are outside of the CRC: a careful client sees whether they follow each other. */
function isDamaged(batches: readonly Split[], from: number): boolean {
  let expected = from;
  for (const [i, { batch, event }] of batches.entries()) {
    const { baseOffset, nextOffset } = batch;
    // Only the first ones may begin before what was asked for.
    const isNext = i === 0 ? baseOffset <= expected : baseOffset === expected;
    if (!event.isSound || !isNext) return true;
    expected = nextOffset;
  }
  return false;
}

type Split = {
  readonly batch: FetchedBatch;
  readonly event: Extract<HistoryEvent, { kind: 'batch' }>;
};

type Served = { readonly highWatermark: number; readonly isFinal: boolean };

/** Whole batches of a fetched range, up to the first with a bad checksum, and how to note them. */
function splitBatches({ bytes, start, length }: View, partition: string, served: Served) {
  const found: Split[] = [];
  const end = start + length;
  for (let at = start; end - at >= BATCH_HEADER_BYTES; ) {
    const header = readBatchHeader(bytes, at);
    const { baseOffset, sizeBytes, leaderEpoch } = header;
    if (at + sizeBytes > end) break;
    const batch = bytes.subarray(at, at + sizeBytes);
    const nextOffset = nextOffsetOf(header);
    const event: Split['event'] = {
      kind: 'batch',
      partition,
      baseOffset,
      nextOffset,
      leaderEpoch,
      isSound: isSound(bytes, at, sizeBytes, crc32c),
      digest: digest(batch.subarray(AFTER_LEADER_EPOCH)),
      producer: header,
      ...served,
    };
    found.push({ batch: { ...header, nextOffset, bytes: batch }, event });
    if (!event.isSound) break;
    at += sizeBytes;
  }
  return found;
}

function noteRecords(
  history: History,
  partition: string,
  { bytes }: FetchedBatch,
  isFinal: boolean,
): void {
  for (const { offset, value } of iterateRecords(bytes, 0)) {
    history.note({ kind: 'record', partition, offset, value: textOf(value), isFinal });
  }
}

function digest(bytes: Buffer): string {
  return createHash('sha1').update(bytes).digest('base64');
}

function textOf(value: Uint8Array | null): string {
  return value === null ? '' : Buffer.from(value).toString('latin1');
}

export function keyOf({ topic, partition }: PartitionName): string {
  return `${topic}:${partition}`;
}
