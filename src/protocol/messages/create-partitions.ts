/** CreatePartitions: raises the number of partitions of a topic to `count`. */
import type { Decoded, Encodable } from '../schema.js';
import {
  array,
  bool,
  defineApi,
  int16,
  int32,
  int32s,
  nullableArray,
  nullableString,
  string,
} from '../schema.js';

export const createPartitionsApi = defineApi({
  key: 37,
  name: 'CreatePartitions',
  advertised: '0-3',
  flexibleFrom: 2,
  isServed: true,
  request: {
    topics: array('0+', {
      name: string('0+'),
      count: int32('0+'),
      assignments: nullableArray('0+', {
        brokerIds: int32s('0+'),
      }),
    }),
    timeoutMs: int32('0+'),
    validateOnly: bool('0+'),
  },
  response: {
    throttleTimeMs: int32('0+', { default: 0 }),
    results: array('0+', {
      name: string('0+'),
      errorCode: int16('0+'),
      errorMessage: nullableString('0+', { default: null }),
    }),
  },
});

export type CreatePartitionsRequest = Decoded<typeof createPartitionsApi.request>;
export type CreatePartitionsResponse = Encodable<typeof createPartitionsApi.response>;
