/** CreateTopics. -1 partitions or replicas means the broker's default (KIP-464). */
import type { Decoded, Encodable } from '../schema.js';
import {
  array,
  bool,
  defineApi,
  int8,
  int16,
  int32,
  int32s,
  nullableArray,
  nullableString,
  string,
  uuid,
} from '../schema.js';

export const createTopicsApi = defineApi({
  key: 19,
  name: 'CreateTopics',
  advertised: '2-7',
  flexibleFrom: 5,
  isServed: true,
  request: {
    topics: array('0+', {
      name: string('0+'),
      numPartitions: int32('0+'),
      replicationFactor: int16('0+'),
      assignments: array('0+', {
        partitionIndex: int32('0+'),
        brokerIds: int32s('0+'),
      }),
      configs: array('0+', {
        name: string('0+'),
        value: nullableString('0+'),
      }),
    }),
    timeoutMs: int32('0+', { default: 60_000 }),
    validateOnly: bool('1+', { default: false }),
  },
  response: {
    throttleTimeMs: int32('2+'),
    topics: array('0+', {
      name: string('0+'),
      topicId: uuid('7+'),
      errorCode: int16('0+'),
      errorMessage: nullableString('1+'),
      topicConfigErrorCode: int16('5+', { tag: 0 }),
      numPartitions: int32('5+', { default: -1 }),
      replicationFactor: int16('5+', { default: -1 }),
      configs: nullableArray('5+', {
        name: string('5+'),
        value: nullableString('5+'),
        readOnly: bool('5+'),
        configSource: int8('5+', { default: -1 }),
        isSensitive: bool('5+'),
      }),
    }),
  },
});

export type CreateTopicsRequest = Decoded<typeof createTopicsApi.request>;
export type CreateTopicsResponse = Encodable<typeof createTopicsApi.response>;
