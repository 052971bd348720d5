/** The one place where the rooms' own errors become Kafka's codes. */
import type { PartitionError } from '../partition/access.js';
import { ERROR, type ErrorName } from '../protocol/errors.js';

const KAFKA_NAMES: Readonly<Record<PartitionError, ErrorName>> = {
  UNKNOWN_PARTITION: 'UNKNOWN_TOPIC_OR_PARTITION',
  NOT_LEADER: 'NOT_LEADER_OR_FOLLOWER',
  LEADER_LOST: 'NOT_LEADER_OR_FOLLOWER',
  FENCED_LEADER_EPOCH: 'FENCED_LEADER_EPOCH',
  UNKNOWN_LEADER_EPOCH: 'UNKNOWN_LEADER_EPOCH',
  OFFSET_OUT_OF_RANGE: 'OFFSET_OUT_OF_RANGE',
  OFFSET_NOT_AVAILABLE: 'OFFSET_NOT_AVAILABLE',
  CORRUPT_MESSAGE: 'CORRUPT_MESSAGE',
  INVALID_RECORD: 'INVALID_RECORD',
  INVALID_TIMESTAMP: 'INVALID_TIMESTAMP',
  INVALID_ACKS: 'INVALID_REQUIRED_ACKS',
  MESSAGE_TOO_LARGE: 'MESSAGE_TOO_LARGE',
  UNSUPPORTED_FOR_MESSAGE_FORMAT: 'UNSUPPORTED_FOR_MESSAGE_FORMAT',
  OUT_OF_ORDER_SEQUENCE_NUMBER: 'OUT_OF_ORDER_SEQUENCE_NUMBER',
  INVALID_PRODUCER_EPOCH: 'INVALID_PRODUCER_EPOCH',
  NOT_ENOUGH_REPLICAS: 'NOT_ENOUGH_REPLICAS',
  TIMED_OUT: 'REQUEST_TIMED_OUT',
  // Both are refusals before the append that another leader may not share: clients ask again.
  STORAGE_FULL: 'KAFKA_STORAGE_ERROR',
  STORAGE_FAILED: 'KAFKA_STORAGE_ERROR',
};

/** Kafka's code of a partition's error. Never UNKNOWN_SERVER_ERROR: clients then duplicate. */
export function codeOf(error: PartitionError): number {
  return kafkaCode(KAFKA_NAMES[error]);
}

/** Kafka's code of an error that already has Kafka's name. */
export function kafkaCode(name: ErrorName): number {
  return ERROR[name];
}
