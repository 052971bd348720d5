/**
 * FindCoordinator: which broker coordinates a group or a transactional id; several at once from
 * version 4 on (KIP-699).
 */
import type { Decoded, Encodable } from '../schema.js';
import {
  array,
  defineApi,
  int8,
  int16,
  int32,
  nullableString,
  string,
  strings,
} from '../schema.js';

export const COORDINATOR_GROUP = 0;

export const findCoordinatorApi = defineApi({
  key: 10,
  name: 'FindCoordinator',
  advertised: '0-4',
  flexibleFrom: 3,
  isServed: true,
  request: {
    key: string('0-3'),
    keyType: int8('1+', { default: COORDINATOR_GROUP }),
    coordinatorKeys: strings('4+'),
  },
  response: {
    throttleTimeMs: int32('1+'),
    errorCode: int16('0-3'),
    errorMessage: nullableString('1-3'),
    nodeId: int32('0-3'),
    host: string('0-3'),
    port: int32('0-3'),
    coordinators: array('4+', {
      key: string('4+'),
      nodeId: int32('4+'),
      host: string('4+'),
      port: int32('4+'),
      errorCode: int16('4+'),
      errorMessage: nullableString('4+'),
    }),
  },
});

export type FindCoordinatorRequest = Decoded<typeof findCoordinatorApi.request>;
export type FindCoordinatorResponse = Encodable<typeof findCoordinatorApi.response>;
