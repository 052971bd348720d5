/**
 * OffsetForLeaderEpoch (KIP-320): where an epoch ended, so that a consumer finds out whether its
 * log was cut.
 */
import type { Decoded, Encodable } from '../schema.js';
import { array, defineApi, int16, int32, int64, string } from '../schema.js';

/**
 * Replica id of a reader that is no replica and does not say -1; what a version without the field
 * means.
 */
const REPLICA_DEBUG = -2;

export const offsetForLeaderEpochApi = defineApi({
  key: 23,
  name: 'OffsetForLeaderEpoch',
  advertised: '2-4',
  flexibleFrom: 4,
  isServed: true,
  request: {
    replicaId: int32('3+', { default: REPLICA_DEBUG }),
    topics: array('0+', {
      topic: string('0+'),
      partitions: array('0+', {
        partition: int32('0+'),
        currentLeaderEpoch: int32('2+', { default: -1 }),
        leaderEpoch: int32('0+'),
      }),
    }),
  },
  response: {
    throttleTimeMs: int32('2+'),
    topics: array('0+', {
      topic: string('0+'),
      partitions: array('0+', {
        errorCode: int16('0+'),
        partition: int32('0+'),
        leaderEpoch: int32('1+', { default: -1 }),
        endOffset: int64('0+', { default: -1 }),
      }),
    }),
  },
});

export type OffsetForLeaderEpochRequest = Decoded<typeof offsetForLeaderEpochApi.request>;
export type OffsetForLeaderEpochResponse = Encodable<typeof offsetForLeaderEpochApi.response>;
