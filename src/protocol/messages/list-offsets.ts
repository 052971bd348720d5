/** ListOffsets: the offset of a timestamp, or of one of the special timestamps below. */
import type { Decoded, Encodable } from '../schema.js';
import { array, defineApi, int8, int16, int32, int64, string } from '../schema.js';

export const TIMESTAMP_LATEST = -1;
export const TIMESTAMP_EARLIEST = -2;
/** Record with the largest timestamp, from version 7 on (KIP-734). */
export const TIMESTAMP_MAX = -3;

export const listOffsetsApi = defineApi({
  key: 2,
  name: 'ListOffsets',
  advertised: '1-7',
  flexibleFrom: 6,
  isServed: true,
  request: {
    replicaId: int32('0+'),
    isolationLevel: int8('2+'),
    topics: array('0+', {
      name: string('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        currentLeaderEpoch: int32('4+', { default: -1 }),
        timestamp: int64('0+'),
      }),
    }),
  },
  response: {
    throttleTimeMs: int32('2+'),
    topics: array('0+', {
      name: string('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        errorCode: int16('0+'),
        timestamp: int64('1+', { default: -1 }),
        offset: int64('1+', { default: -1 }),
        leaderEpoch: int32('4+', { default: -1 }),
      }),
    }),
  },
});

export type ListOffsetsRequest = Decoded<typeof listOffsetsApi.request>;
export type ListOffsetsResponse = Encodable<typeof listOffsetsApi.response>;
