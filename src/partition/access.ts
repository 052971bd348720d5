/**
 * What doors (Kafka now, queues later) and group coordinators see of a partition, whether it lives
 * on this shard or on another one. Results come through callbacks: a local answer is given before
 * the call returns, so that the hot path makes no promise and no hop.
 */
import type { LogRange } from '../log/log-types.js';
import type { GroupKey } from '../base/group.js';
import type { LeaderEpoch, NodeId, Offset, WallMs } from '../base/units.js';

/** Closed set; `handlers/error-code.ts` maps each to Kafka's code. */
export type PartitionError =
  | 'UNKNOWN_PARTITION'
  /** Nothing was done: another replica leads, or none. */
  | 'NOT_LEADER'
  /** Leadership went before a majority had the batch: nobody knows yet whether it stays. */
  | 'LEADER_LOST'
  | 'FENCED_LEADER_EPOCH'
  | 'UNKNOWN_LEADER_EPOCH'
  | 'OFFSET_OUT_OF_RANGE'
  | 'OFFSET_NOT_AVAILABLE'
  | 'CORRUPT_MESSAGE'
  | 'INVALID_RECORD'
  | 'INVALID_TIMESTAMP'
  | 'INVALID_ACKS'
  | 'MESSAGE_TOO_LARGE'
  | 'UNSUPPORTED_FOR_MESSAGE_FORMAT'
  | 'OUT_OF_ORDER_SEQUENCE_NUMBER'
  | 'INVALID_PRODUCER_EPOCH'
  | 'NOT_ENOUGH_REPLICAS'
  | 'TIMED_OUT'
  | 'STORAGE_FULL'
  | 'STORAGE_FAILED';

/** How many must hold a batch before its producer is told: nobody, the leader, a majority. */
export type Acks = 0 | 1 | -1;

export type ProduceOptions = {
  readonly acks: Acks;
  /** How long to wait for the acknowledgement before answering TIMED_OUT (indefinite). */
  readonly timeoutMs: number;
  /** Written by the broker itself (group coordinators): may go to internal topics. */
  readonly isInternal?: boolean;
};

export type ProduceOutcome = {
  readonly error: PartitionError | null;
  /** First offset of the batch; -1 with an error. A duplicate gets its original offset. */
  readonly baseOffset: Offset;
  /** Broker's time when the topic uses LogAppendTime, else -1. */
  readonly logAppendTimeMs: WallMs;
  readonly logStartOffset: Offset;
  /** For people; null when the code says all. */
  readonly message: string | null;
};

export type FetchRequest = {
  readonly offset: Offset;
  readonly maxBytes: number;
  /** The first batch of an answer is sent even if it is larger than `maxBytes` (KIP-74). */
  readonly isFirst: boolean;
  /** The client's idea of the leader epoch; -1 when it has none. */
  readonly currentLeaderEpoch: LeaderEpoch | -1;
};

/** Bytes to send: a range of a segment of this shard, or bytes that came from another shard. */
export type FetchData =
  | { readonly kind: 'range'; readonly range: LogRange }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array; readonly nextOffset: Offset };

export type FetchOutcome = {
  readonly error: PartitionError | null;
  readonly highWatermark: Offset;
  readonly lastStableOffset: Offset;
  readonly logStartOffset: Offset;
  /** Whole batches from the one that holds the wanted offset; null when there is none yet. */
  readonly data: FetchData | null;
};

/** Whole batches from the one that holds `offset` up to `endOffset`; null: the high watermark. */
export type ExtentRequest = { readonly offset: Offset; readonly endOffset: Offset | null };

/** How much of the log that is, of all segments together. */
export type Extent = {
  readonly error: PartitionError | null;
  /** First record of the first batch, and behind the last record of the last one. */
  readonly firstOffset: Offset;
  readonly nextOffset: Offset;
  readonly bytes: number;
  readonly highWatermark: Offset;
  readonly logStartOffset: Offset;
  readonly leaderEpoch: LeaderEpoch | -1;
};

/** A timestamp, or one of ListOffsets' special questions. */
export type OffsetQuestion =
  | { readonly kind: 'earliest' }
  | { readonly kind: 'latest' }
  | { readonly kind: 'max-timestamp' }
  | { readonly kind: 'timestamp'; readonly timestampMs: WallMs };

export type OffsetAnswer = {
  readonly error: PartitionError | null;
  readonly offset: Offset;
  readonly timestampMs: WallMs;
  readonly leaderEpoch: LeaderEpoch | -1;
};

export type EpochEndAnswer = {
  readonly error: PartitionError | null;
  readonly leaderEpoch: LeaderEpoch | -1;
  readonly endOffset: Offset;
};

/** Facts for status and metadata; offsets are this replica's. */
export type PartitionFacts = {
  readonly group: GroupKey;
  readonly topic: string;
  readonly role: string;
  readonly leaderId: NodeId;
  readonly leaderEpoch: LeaderEpoch;
  readonly isServing: boolean;
  readonly inSync: readonly NodeId[];
  readonly logStartOffset: Offset;
  readonly highWatermark: Offset;
  readonly logEndOffset: Offset;
  /** Of its segments, on this node. */
  readonly logBytes: number;
  /** Who waits here: at most PARTITION_PRODUCES_MAX and PARTITION_POLLS_MAX. */
  readonly openProduces: number;
  readonly openPolls: number;
  readonly failure: string | null;
};

export type PartitionAccess = {
  /** Validates, appends and answers as `acks` asks. The bytes are only good during the call. */
  produce(
    bytes: Uint8Array,
    start: number,
    length: number,
    options: ProduceOptions,
    done: (outcome: ProduceOutcome) => void,
  ): void;
  fetch(request: FetchRequest, done: (outcome: FetchOutcome) => void): void;
  extent(request: ExtentRequest, done: (extent: Extent) => void): void;
  /**
   * Calls `wake` once when the high watermark is above `offset` (-1: as soon as the leader serves)
   * or leadership changes; at once when that is so already. Returns how to cancel it.
   */
  onAdvance(offset: Offset, wake: () => void): () => void;
  offsetFor(
    question: OffsetQuestion,
    currentLeaderEpoch: LeaderEpoch | -1,
    done: (answer: OffsetAnswer) => void,
  ): void;
  epochEnd(
    leaderEpoch: LeaderEpoch,
    currentLeaderEpoch: LeaderEpoch | -1,
    done: (answer: EpochEndAnswer) => void,
  ): void;
};

export function produceFailure(error: PartitionError, message: string | null): ProduceOutcome {
  return { error, baseOffset: -1, logAppendTimeMs: -1, logStartOffset: -1, message };
}

export function fetchFailure(error: PartitionError): FetchOutcome {
  return { error, highWatermark: -1, lastStableOffset: -1, logStartOffset: -1, data: null };
}

export function extentFailure(error: PartitionError): Extent {
  return {
    error,
    firstOffset: -1,
    nextOffset: -1,
    bytes: 0,
    highWatermark: -1,
    logStartOffset: -1,
    leaderEpoch: -1,
  };
}

/** Said by whoever does not lead. */
export const noOffset: OffsetAnswer = {
  error: 'NOT_LEADER',
  offset: -1,
  timestampMs: -1,
  leaderEpoch: -1,
};
export const noEpochEnd: EpochEndAnswer = { error: 'NOT_LEADER', leaderEpoch: -1, endOffset: -1 };

/** A partition that this broker does not hold. */
export const absentPartition: PartitionAccess = {
  produce: (_bytes, _start, _length, _options, done) => done(produceFailure('NOT_LEADER', null)),
  fetch: (_request, done) => done(fetchFailure('NOT_LEADER')),
  extent: (_request, done) => done(extentFailure('NOT_LEADER')),
  onAdvance: (_offset, wake) => {
    wake();
    return () => {};
  },
  offsetFor: (_question, _epoch, done) => done(noOffset),
  epochEnd: (_leaderEpoch, _epoch, done) => done(noEpochEnd),
};
