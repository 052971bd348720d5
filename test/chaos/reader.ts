/**
 * Reads partitions batch by batch through the Kafka protocol. `follow` runs beside the faults and
 * only testifies which bytes it saw where; `readAll` reads everything at the end and hands each
 * record to the history.
 */
import { createHash } from 'node:crypto';
import { crc32c } from '#src/native/crc32c.js';
import { ERROR, errorInfo } from '#src/protocol/errors.js';
import { fetchApi } from '#src/protocol/messages/fetch.js';
import { BATCH_HEADER_BYTES, isSound, nextOffsetOf, readBatchHeader } from '#src/records/batch.js';
import { iterateRecords } from '#src/records/records.js';
import type { KafkaClient } from '../support/kafka-client.js';
import { ConnectionLost } from '../support/kafka-connection.js';
import { sleep, waitFor } from '../support/wait-for.js';
import type { History, Witness } from './checker.js';

const FETCH_VERSION = 11;
const FETCH_BYTES = 1 << 20;
const FETCH_TIMEOUT_MS = 4_000;
const RETRY_MS = 100;

export type FetchedBatch = {
  readonly baseOffset: number;
  readonly nextOffset: number;
  readonly bytes: Buffer;
};

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
  readonly #witness: Witness;
  #isStopped = false;
  #offset = 0;

  constructor(client: KafkaClient, name: PartitionName, witness: Witness) {
    this.#client = client;
    this.#name = name;
    this.#witness = witness;
  }

  async run(): Promise<void> {
    const key = keyOf(this.#name);
    while (!this.#isStopped) {
      const fetched = await tryFetch(this.#client, this.#name, this.#offset, this.#witness);
      for (const batch of fetched?.batches ?? []) {
        this.#witness.followed(key, this.#offset, batch.baseOffset);
        this.#witness.saw(key, batch.baseOffset, digest(batch.bytes));
        this.#offset = batch.nextOffset;
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
  witness: Witness,
): Promise<{ readonly logStartOffset: number; readonly highWatermark: number }> {
  const key = keyOf(name);
  const highWatermark = await latestOffset(client, name);
  const { logStartOffset } = await mustFetch(client, name, 0, witness);
  history.startReading(key, logStartOffset);
  let offset = logStartOffset;
  while (offset < highWatermark) {
    const { batches } = await mustFetch(client, name, offset, witness);
    if (batches.length === 0) break;
    for (const batch of batches) {
      witness.saw(key, batch.baseOffset, digest(batch.bytes));
      for (const record of iterateRecords(batch.bytes, 0)) {
        history.read(key, record.offset, textOf(record.value));
      }
      offset = batch.nextOffset;
    }
  }
  history.finishReading(key, highWatermark);
  return { logStartOffset, highWatermark };
}

async function mustFetch(
  client: KafkaClient,
  name: PartitionName,
  offset: number,
  witness: Witness,
): Promise<Fetched> {
  for (let tries = 0; tries < 100; tries++) {
    const fetched = await tryFetch(client, name, offset, witness);
    if (fetched !== null) return fetched;
    await sleep(RETRY_MS);
  }
  throw new Error(`nobody serves ${keyOf(name)} from offset ${offset}`);
}

/** Null when this attempt led nowhere: no leader, no connection, or an error worth another try. */
async function tryFetch(
  client: KafkaClient,
  { topic, partition }: PartitionName,
  fetchOffset: number,
  witness: Witness,
): Promise<Fetched | null> {
  const leader = client.leaderOf(topic, partition);
  if (leader === null) return null;
  try {
    const connection = await client.connectionTo(leader.nodeId);
    const wanted = { partition, fetchOffset, partitionMaxBytes: FETCH_BYTES };
    const body = {
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: FETCH_BYTES,
      topics: [{ topic, partitions: [wanted] }],
    };
    const answer = await connection.request(fetchApi, FETCH_VERSION, body, FETCH_TIMEOUT_MS);
    const found = answer.responses[0]?.partitions[0];
    if (found === undefined) throw new Error(`answer without ${topic}:${partition}`);
    if (found.errorCode !== ERROR.NONE) {
      const { name, isRetriable } = errorInfo(found.errorCode);
      if (!isRetriable) throw new Error(`fetch ${topic}:${partition}@${fetchOffset}: ${name}`);
      return null;
    }
    const { highWatermark, logStartOffset, records } = found;
    const batches = (records === null ? [] : splitBatches(records)).filter(
      (batch) => batch.nextOffset > fetchOffset,
    );
    if (witness.toleratesDamage) mustFollow(fetchOffset, logStartOffset, batches);
    return { highWatermark, logStartOffset, batches };
  } catch (error) {
    if (error instanceof ConnectionLost) return null;
    if (!(error instanceof DamagedAnswer) || !witness.toleratesDamage) throw error;
    witness.damaged += 1;
    return null;
  }
}

type View = { readonly bytes: Buffer; readonly start: number; readonly length: number };

/** Base offsets are outside of the CRC: a careful client sees whether they follow each other. */
function mustFollow(from: number, logStart: number, batches: readonly FetchedBatch[]): void {
  let expected = Math.max(from, logStart);
  for (const [i, { baseOffset, nextOffset }] of batches.entries()) {
    // Only the first one may begin before what was asked for.
    const isNext = i === 0 ? baseOffset <= expected : baseOffset === expected;
    if (!isNext) throw new DamagedAnswer(`a batch at ${baseOffset}, expected ${expected}`);
    expected = nextOffset;
  }
}

class DamagedAnswer extends Error {}

/** Whole batches of a fetched range; every one must have a valid CRC (K10). */
function splitBatches({ bytes, start, length }: View): FetchedBatch[] {
  const batches: FetchedBatch[] = [];
  const end = start + length;
  for (let at = start; end - at >= BATCH_HEADER_BYTES; ) {
    const header = readBatchHeader(bytes, at);
    const { baseOffset, sizeBytes } = header;
    if (at + sizeBytes > end) break;
    if (!isSound(bytes, at, sizeBytes, crc32c)) {
      throw new DamagedAnswer(`the batch served at ${baseOffset} has a wrong CRC`);
    }
    const batch = bytes.subarray(at, at + sizeBytes);
    batches.push({ baseOffset, nextOffset: nextOffsetOf(header), bytes: batch });
    at += sizeBytes;
  }
  return batches;
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
