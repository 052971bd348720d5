/** LeaveGroup: one member leaves, or several from version 3 on (KIP-345). */
import type { Decoded, Encodable } from '../schema.js';
import { array, defineApi, int16, int32, nullableString, string } from '../schema.js';

export const leaveGroupApi = defineApi({
  key: 13,
  name: 'LeaveGroup',
  advertised: '0-5',
  flexibleFrom: 4,
  isServed: true,
  request: {
    groupId: string('0+'),
    memberId: string('0-2'),
    members: array('3+', {
      memberId: string('3+'),
      groupInstanceId: nullableString('3+', { default: null }),
      reason: nullableString('5+', { default: null }),
    }),
  },
  response: {
    throttleTimeMs: int32('1+'),
    errorCode: int16('0+'),
    members: array('3+', {
      memberId: string('3+'),
      groupInstanceId: nullableString('3+'),
      errorCode: int16('3+'),
    }),
  },
});

export type LeaveGroupRequest = Decoded<typeof leaveGroupApi.request>;
export type LeaveGroupResponse = Encodable<typeof leaveGroupApi.response>;
