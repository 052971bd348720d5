/**
 * Every error that HTTP answers: a status, a stable code and a sentence, as RFC 9457 writes them.
 * The one place where the rooms' errors become HTTP's.
 */
import type { Offset } from '../../base/units.js';
import type { Extent, PartitionError } from '../../partition/access.js';

/** Thrown by handlers of the HTTP door, and only by them. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;
  readonly code: string;
  /** Members of the document besides those of every problem. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    status: number,
    code: string,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

const UNAVAILABLE = 503;

/** Status and sentence; what may pass by itself is 503, so that a client waits and tries again. */
const PARTITION_PROBLEMS: Readonly<Record<PartitionError, readonly [number, string]>> = {
  UNKNOWN_PARTITION: [404, 'there is no such partition'],
  NOT_LEADER: [UNAVAILABLE, 'the partition has no leader now'],
  LEADER_LOST: [UNAVAILABLE, 'the leader changed meanwhile: the records may have been written'],
  FENCED_LEADER_EPOCH: [UNAVAILABLE, 'the leader is changing'],
  UNKNOWN_LEADER_EPOCH: [UNAVAILABLE, 'the leader is changing'],
  OFFSET_OUT_OF_RANGE: [416, 'the log does not have this offset'],
  OFFSET_NOT_AVAILABLE: [UNAVAILABLE, 'the new leader does not know its end yet'],
  CORRUPT_MESSAGE: [400, 'the record batch is damaged'],
  INVALID_RECORD: [400, 'a record is not valid'],
  INVALID_TIMESTAMP: [400, 'a timestamp is too far from the time of the broker'],
  INVALID_ACKS: [400, 'acks is 0, 1 or all'],
  MESSAGE_TOO_LARGE: [413, 'the records are larger than the topic takes (max.message.bytes)'],
  UNSUPPORTED_FOR_MESSAGE_FORMAT: [400, 'the topic does not take such records'],
  OUT_OF_ORDER_SEQUENCE_NUMBER: [409, 'a sequence number is missing'],
  INVALID_PRODUCER_EPOCH: [409, 'a newer producer has taken over'],
  NOT_ENOUGH_REPLICAS: [UNAVAILABLE, 'too few replicas are in sync (min.insync.replicas)'],
  TIMED_OUT: [UNAVAILABLE, 'no majority answered in time: the records may have been written'],
  STORAGE_FULL: [507, 'the disk of the leader is full'],
  STORAGE_FAILED: [UNAVAILABLE, 'the disk of the leader has failed'],
};

export function partitionProblem(
  error: PartitionError,
  message: string | null,
  details: Readonly<Record<string, unknown>> = {},
): Problem {
  const [status, sentence] = PARTITION_PROBLEMS[error];
  const text = message === null ? sentence : `${sentence}: ${message}`;
  return new Problem(status, error, text, details);
}

/** Names the range that could have been asked for. */
export function outOfRange({ logStartOffset, highWatermark }: Extent, offset: Offset): Problem {
  const kept = `${logStartOffset} up to, not including, ${highWatermark}`;
  const range = `it has ${kept}; ${offset} was asked for`;
  const details = { logStartOffset, highWatermark };
  return partitionProblem('OFFSET_OUT_OF_RANGE', range, details);
}

export function badRequest(message: string): Problem {
  return new Problem(400, 'INVALID_REQUEST', message);
}
