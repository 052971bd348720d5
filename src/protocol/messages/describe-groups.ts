/** DescribeGroups: state and members of groups, for tools. */
import type { Decoded, Encodable } from '../schema.js';
import {
  array,
  bool,
  bytes,
  defineApi,
  int16,
  int32,
  nullableString,
  string,
  strings,
} from '../schema.js';
import { OPERATIONS_UNKNOWN } from './metadata.js';

export const describeGroupsApi = defineApi({
  key: 15,
  name: 'DescribeGroups',
  advertised: '0-5',
  flexibleFrom: 5,
  isServed: true,
  request: {
    groups: strings('0+'),
    includeAuthorizedOperations: bool('3+'),
  },
  response: {
    throttleTimeMs: int32('1+'),
    groups: array('0+', {
      errorCode: int16('0+'),
      groupId: string('0+'),
      groupState: string('0+'),
      protocolType: string('0+'),
      protocolData: string('0+'),
      members: array('0+', {
        memberId: string('0+'),
        groupInstanceId: nullableString('4+', { default: null }),
        clientId: string('0+'),
        clientHost: string('0+'),
        memberMetadata: bytes('0+'),
        memberAssignment: bytes('0+'),
      }),
      authorizedOperations: int32('3+', { default: OPERATIONS_UNKNOWN }),
    }),
  },
});

export type DescribeGroupsRequest = Decoded<typeof describeGroupsApi.request>;
export type DescribeGroupsResponse = Encodable<typeof describeGroupsApi.response>;
