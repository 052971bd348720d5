/**
 * DeleteRecords: moves the log start of partitions up to an offset; -1 means the high watermark.
 */
import type { Decoded, Encodable } from '../schema.js';
import { array, defineApi, int16, int32, int64, string } from '../schema.js';

export const deleteRecordsApi = defineApi({
  key: 21,
  name: 'DeleteRecords',
  advertised: '0-2',
  flexibleFrom: 2,
  isServed: false,
  request: {
    topics: array('0+', {
      name: string('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        offset: int64('0+'),
      }),
    }),
    timeoutMs: int32('0+'),
  },
  response: {
    throttleTimeMs: int32('0+', { default: 0 }),
    topics: array('0+', {
      name: string('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        lowWatermark: int64('0+'),
        errorCode: int16('0+'),
      }),
    }),
  },
});

export type DeleteRecordsRequest = Decoded<typeof deleteRecordsApi.request>;
export type DeleteRecordsResponse = Encodable<typeof deleteRecordsApi.response>;
