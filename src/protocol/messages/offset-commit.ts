/**
 * OffsetCommit: a group stores the positions of its consumers. Version 10 would name topics by id.
 */
import type { Decoded, Encodable } from '../schema.js';
import { array, defineApi, int16, int32, int64, nullableString, string } from '../schema.js';

export const offsetCommitApi = defineApi({
  key: 8,
  name: 'OffsetCommit',
  advertised: '2-8',
  flexibleFrom: 8,
  isServed: true,
  request: {
    groupId: string('0+'),
    generationIdOrMemberEpoch: int32('1+', { default: -1 }),
    memberId: string('1+'),
    groupInstanceId: nullableString('7+', { default: null }),
    retentionTimeMs: int64('2-4', { default: -1 }),
    topics: array('0+', {
      name: string('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        committedOffset: int64('0+'),
        committedLeaderEpoch: int32('6+', { default: -1 }),
        committedMetadata: nullableString('0+'),
      }),
    }),
  },
  response: {
    throttleTimeMs: int32('3+'),
    topics: array('0+', {
      name: string('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        errorCode: int16('0+'),
      }),
    }),
  },
});

export type OffsetCommitRequest = Decoded<typeof offsetCommitApi.request>;
export type OffsetCommitResponse = Encodable<typeof offsetCommitApi.response>;
