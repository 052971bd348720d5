/**
 * JoinGroup: a member enters a rebalance; the answer waits until all have. Metadata is the members'
 * own affair.
 */
import type { Decoded, Encodable } from '../schema.js';
import { array, bool, bytes, defineApi, int16, int32, nullableString, string } from '../schema.js';

export const joinGroupApi = defineApi({
  key: 11,
  name: 'JoinGroup',
  advertised: '0-9',
  flexibleFrom: 6,
  isServed: true,
  request: {
    groupId: string('0+'),
    sessionTimeoutMs: int32('0+'),
    rebalanceTimeoutMs: int32('1+', { default: -1 }),
    memberId: string('0+'),
    groupInstanceId: nullableString('5+', { default: null }),
    protocolType: string('0+'),
    protocols: array('0+', {
      name: string('0+'),
      metadata: bytes('0+'),
    }),
    reason: nullableString('8+', { default: null }),
  },
  response: {
    throttleTimeMs: int32('2+'),
    errorCode: int16('0+'),
    generationId: int32('0+', { default: -1 }),
    protocolType: nullableString('7+', { default: null }),
    protocolName: nullableString('0+', { nullable: '7+' }),
    leader: string('0+'),
    skipAssignment: bool('9+', { default: false }),
    memberId: string('0+'),
    members: array('0+', {
      memberId: string('0+'),
      groupInstanceId: nullableString('5+', { default: null }),
      metadata: bytes('0+'),
    }),
  },
});

export type JoinGroupRequest = Decoded<typeof joinGroupApi.request>;
export type JoinGroupResponse = Encodable<typeof joinGroupApi.response>;
