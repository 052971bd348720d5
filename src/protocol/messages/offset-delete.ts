/** OffsetDelete: a group forgets positions (KIP-496). It never became flexible. */
import type { Decoded, Encodable } from '../schema.js';
import { array, defineApi, int16, int32, string } from '../schema.js';

export const offsetDeleteApi = defineApi({
  key: 47,
  name: 'OffsetDelete',
  advertised: '0-0',
  flexibleFrom: Infinity,
  isServed: true,
  request: {
    groupId: string('0+'),
    topics: array('0+', {
      name: string('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
      }),
    }),
  },
  response: {
    errorCode: int16('0+'),
    throttleTimeMs: int32('0+', { default: 0 }),
    topics: array('0+', {
      name: string('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        errorCode: int16('0+'),
      }),
    }),
  },
});

export type OffsetDeleteRequest = Decoded<typeof offsetDeleteApi.request>;
export type OffsetDeleteResponse = Encodable<typeof offsetDeleteApi.response>;
