/** DescribeLogDirs: bytes on disk per replica. Null topics ask for all. */
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
  string,
} from '../schema.js';

export const describeLogDirsApi = defineApi({
  key: 35,
  name: 'DescribeLogDirs',
  advertised: '1-4',
  flexibleFrom: 2,
  isServed: false,
  request: {
    topics: nullableArray('0+', {
      topic: string('0+'),
      partitions: int32s('0+'),
    }),
  },
  response: {
    throttleTimeMs: int32('0+', { default: 0 }),
    errorCode: int16('3+'),
    results: array('0+', {
      errorCode: int16('0+'),
      logDir: string('0+'),
      topics: array('0+', {
        name: string('0+'),
        partitions: array('0+', {
          partitionIndex: int32('0+'),
          partitionSize: int64('0+'),
          offsetLag: int64('0+'),
          isFutureKey: bool('0+'),
        }),
      }),
      totalBytes: int64('4+', { default: -1 }),
      usableBytes: int64('4+', { default: -1 }),
    }),
  },
});

export type DescribeLogDirsRequest = Decoded<typeof describeLogDirsApi.request>;
export type DescribeLogDirsResponse = Encodable<typeof describeLogDirsApi.response>;
