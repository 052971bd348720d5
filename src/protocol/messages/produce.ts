/**
 * Produce. Advertised from version 0 although nothing below 3 is served: librdkafka before 2.11.1
 * takes a higher minimum for a broker without gzip, snappy and lz4. With acks=0 there is no
 * response at all.
 */
import type { Decoded, Encodable } from '../schema.js';
import {
  array,
  defineApi,
  int16,
  int32,
  int64,
  nullableRecords,
  nullableString,
  string,
  taggedStruct,
} from '../schema.js';

export const produceApi = defineApi({
  key: 0,
  name: 'Produce',
  advertised: '0-11',
  serveFrom: 3,
  flexibleFrom: 9,
  isServed: true,
  request: {
    transactionalId: nullableString('3+', { default: null }),
    acks: int16('0+'),
    timeoutMs: int32('0+'),
    topicData: array('0+', {
      name: string('0+'),
      partitionData: array('0+', {
        index: int32('0+'),
        records: nullableRecords('0+'),
      }),
    }),
  },
  response: {
    responses: array('0+', {
      name: string('0+'),
      partitionResponses: array('0+', {
        index: int32('0+'),
        errorCode: int16('0+'),
        baseOffset: int64('0+'),
        logAppendTimeMs: int64('2+', { default: -1 }),
        logStartOffset: int64('5+', { default: -1 }),
        recordErrors: array('8+', {
          batchIndex: int32('8+'),
          batchIndexErrorMessage: nullableString('8+', { default: null }),
        }),
        errorMessage: nullableString('8+', { default: null }),
        currentLeader: taggedStruct('10+', 0, {
          leaderId: int32('10+', { default: -1 }),
          leaderEpoch: int32('10+', { default: -1 }),
        }),
      }),
    }),
    throttleTimeMs: int32('1+', { default: 0 }),
    nodeEndpoints: array(
      '10+',
      {
        nodeId: int32('10+'),
        host: string('10+'),
        port: int32('10+'),
        rack: nullableString('10+', { default: null }),
      },
      { tag: 0 },
    ),
  },
});

export type ProduceRequest = Decoded<typeof produceApi.request>;
export type ProduceResponse = Encodable<typeof produceApi.response>;
