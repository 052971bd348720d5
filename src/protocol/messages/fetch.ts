/**
 * Fetch. Records of the response are usually external parts: ranges of segment files that follow
 * the encoded bytes by sendfile. Versions from 13 on name topics by id and are not served yet.
 */
import type { Decoded, Encodable } from '../schema.js';
import {
  array,
  defineApi,
  int8,
  int16,
  int32,
  int32s,
  int64,
  nullableArray,
  nullableRecords,
  nullableString,
  string,
  taggedStruct,
} from '../schema.js';

const INT32_MAX = 0x7fffffff;

export const fetchApi = defineApi({
  key: 1,
  name: 'Fetch',
  advertised: '4-12',
  flexibleFrom: 12,
  isServed: true,
  request: {
    clusterId: nullableString('12+', { tag: 0, default: null }),
    replicaId: int32('0+', { default: -1 }),
    maxWaitMs: int32('0+'),
    minBytes: int32('0+'),
    maxBytes: int32('3+', { default: INT32_MAX }),
    isolationLevel: int8('4+', { default: 0 }),
    sessionId: int32('7+', { default: 0 }),
    sessionEpoch: int32('7+', { default: -1 }),
    topics: array('0+', {
      topic: string('0+'),
      partitions: array('0+', {
        partition: int32('0+'),
        currentLeaderEpoch: int32('9+', { default: -1 }),
        fetchOffset: int64('0+'),
        lastFetchedEpoch: int32('12+', { default: -1 }),
        logStartOffset: int64('5+', { default: -1 }),
        partitionMaxBytes: int32('0+'),
      }),
    }),
    forgottenTopicsData: array('7+', {
      topic: string('7+'),
      partitions: int32s('7+'),
    }),
    rackId: string('11+', { default: '' }),
  },
  response: {
    throttleTimeMs: int32('1+'),
    errorCode: int16('7+'),
    sessionId: int32('7+', { default: 0 }),
    responses: array('0+', {
      topic: string('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        errorCode: int16('0+'),
        highWatermark: int64('0+'),
        lastStableOffset: int64('4+', { default: -1 }),
        logStartOffset: int64('5+', { default: -1 }),
        divergingEpoch: taggedStruct('12+', 0, {
          epoch: int32('12+', { default: -1 }),
          endOffset: int64('12+', { default: -1 }),
        }),
        currentLeader: taggedStruct('12+', 1, {
          leaderId: int32('12+', { default: -1 }),
          leaderEpoch: int32('12+', { default: -1 }),
        }),
        snapshotId: taggedStruct('12+', 2, {
          endOffset: int64('0+', { default: -1 }),
          epoch: int32('0+', { default: -1 }),
        }),
        abortedTransactions: nullableArray('4+', {
          producerId: int64('4+'),
          firstOffset: int64('4+'),
        }),
        preferredReadReplica: int32('11+', { default: -1 }),
        records: nullableRecords('0+'),
      }),
    }),
  },
});

export type FetchRequest = Decoded<typeof fetchApi.request>;
export type FetchResponse = Encodable<typeof fetchApi.response>;
