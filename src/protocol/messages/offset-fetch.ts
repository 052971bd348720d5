/**
 * OffsetFetch: the stored positions of one group, or of several from version 8 on (KIP-709). A null
 * topic list asks for everything the group has stored.
 */
import type { Decoded, Encodable } from '../schema.js';
import {
  array,
  bool,
  defineApi,
  int16,
  int32,
  int32s,
  int64,
  nullableArray,
  nullableString,
  string,
} from '../schema.js';

export const offsetFetchApi = defineApi({
  key: 9,
  name: 'OffsetFetch',
  advertised: '1-8',
  flexibleFrom: 6,
  isServed: true,
  request: {
    groupId: string('0-7'),
    topics: nullableArray(
      '0-7',
      {
        name: string('0-7'),
        partitionIndexes: int32s('0-7'),
      },
      { nullable: '2-7' },
    ),
    groups: array('8+', {
      groupId: string('8+'),
      topics: nullableArray('8+', {
        name: string('8+'),
        partitionIndexes: int32s('8+'),
      }),
    }),
    requireStable: bool('7+', { default: false }),
  },
  response: {
    throttleTimeMs: int32('3+'),
    topics: array('0-7', {
      name: string('0-7'),
      partitions: array('0-7', {
        partitionIndex: int32('0-7'),
        committedOffset: int64('0-7'),
        committedLeaderEpoch: int32('5-7', { default: -1 }),
        metadata: nullableString('0-7'),
        errorCode: int16('0-7'),
      }),
    }),
    errorCode: int16('2-7', { default: 0 }),
    groups: array('8+', {
      groupId: string('8+'),
      topics: array('8+', {
        name: string('8+'),
        partitions: array('8+', {
          partitionIndex: int32('8+'),
          committedOffset: int64('8+'),
          committedLeaderEpoch: int32('8+', { default: -1 }),
          metadata: nullableString('8+'),
          errorCode: int16('8+'),
        }),
      }),
      errorCode: int16('8+', { default: 0 }),
    }),
  },
});

export type OffsetFetchRequest = Decoded<typeof offsetFetchApi.request>;
export type OffsetFetchResponse = Encodable<typeof offsetFetchApi.response>;
