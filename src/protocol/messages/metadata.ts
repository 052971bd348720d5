/**
 * Metadata: brokers, topics and leaders. In version 0 an empty topic list means all topics, from
 * version 1 on null does and an empty list means none.
 */
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
  uuid,
} from '../schema.js';

/** "Not asked for" in the fields that hold a bit set of authorised operations (KIP-430). */
export const OPERATIONS_UNKNOWN = -2147483648;

export const metadataApi = defineApi({
  key: 3,
  name: 'Metadata',
  advertised: '0-12',
  flexibleFrom: 9,
  isServed: true,
  request: {
    topics: nullableArray(
      '0+',
      {
        topicId: uuid('10+'),
        name: nullableString('0+', { nullable: '10+' }),
      },
      { nullable: '1+' },
    ),
    allowAutoTopicCreation: bool('4+', { default: true }),
    includeClusterAuthorizedOperations: bool('8-10'),
    includeTopicAuthorizedOperations: bool('8+'),
  },
  response: {
    throttleTimeMs: int32('3+'),
    brokers: array('0+', {
      nodeId: int32('0+'),
      host: string('0+'),
      port: int32('0+'),
      rack: nullableString('1+', { default: null }),
    }),
    clusterId: nullableString('2+', { default: null }),
    controllerId: int32('1+', { default: -1 }),
    topics: array('0+', {
      errorCode: int16('0+'),
      name: nullableString('0+', { nullable: '12+' }),
      topicId: uuid('10+'),
      isInternal: bool('1+', { default: false }),
      partitions: array('0+', {
        errorCode: int16('0+'),
        partitionIndex: int32('0+'),
        leaderId: int32('0+'),
        leaderEpoch: int32('7+', { default: -1 }),
        replicaNodes: int32s('0+'),
        isrNodes: int32s('0+'),
        offlineReplicas: int32s('5+'),
      }),
      topicAuthorizedOperations: int32('8+', { default: OPERATIONS_UNKNOWN }),
    }),
    clusterAuthorizedOperations: int32('8-10', { default: OPERATIONS_UNKNOWN }),
  },
});

export type MetadataRequest = Decoded<typeof metadataApi.request>;
export type MetadataResponse = Encodable<typeof metadataApi.response>;
