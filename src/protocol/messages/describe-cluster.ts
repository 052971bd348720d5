/**
 * DescribeCluster (KIP-700): brokers and controller without topics. Endpoint type 1 is brokers, 2
 * controllers.
 */
import type { Decoded, Encodable } from '../schema.js';
import { array, bool, defineApi, int8, int16, int32, nullableString, string } from '../schema.js';
import { OPERATIONS_UNKNOWN } from './metadata.js';

export const describeClusterApi = defineApi({
  key: 60,
  name: 'DescribeCluster',
  advertised: '0-1',
  flexibleFrom: 0,
  isServed: true,
  request: {
    includeClusterAuthorizedOperations: bool('0+'),
    endpointType: int8('1+', { default: 1 }),
  },
  response: {
    throttleTimeMs: int32('0+', { default: 0 }),
    errorCode: int16('0+'),
    errorMessage: nullableString('0+', { default: null }),
    endpointType: int8('1+', { default: 1 }),
    clusterId: string('0+'),
    controllerId: int32('0+', { default: -1 }),
    brokers: array('0+', {
      brokerId: int32('0+'),
      host: string('0+'),
      port: int32('0+'),
      rack: nullableString('0+', { default: null }),
    }),
    clusterAuthorizedOperations: int32('0+', { default: OPERATIONS_UNKNOWN }),
  },
});

export type DescribeClusterRequest = Decoded<typeof describeClusterApi.request>;
export type DescribeClusterResponse = Encodable<typeof describeClusterApi.response>;
