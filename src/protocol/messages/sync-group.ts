/** SyncGroup: the leader hands in the assignments, everybody gets theirs. */
import type { Decoded, Encodable } from '../schema.js';
import { array, bytes, defineApi, int16, int32, nullableString, string } from '../schema.js';

export const syncGroupApi = defineApi({
  key: 14,
  name: 'SyncGroup',
  advertised: '0-5',
  flexibleFrom: 4,
  isServed: true,
  request: {
    groupId: string('0+'),
    generationId: int32('0+'),
    memberId: string('0+'),
    groupInstanceId: nullableString('3+', { default: null }),
    protocolType: nullableString('5+', { default: null }),
    protocolName: nullableString('5+', { default: null }),
    assignments: array('0+', {
      memberId: string('0+'),
      assignment: bytes('0+'),
    }),
  },
  response: {
    throttleTimeMs: int32('1+'),
    errorCode: int16('0+'),
    protocolType: nullableString('5+', { default: null }),
    protocolName: nullableString('5+', { default: null }),
    assignment: bytes('0+'),
  },
});

export type SyncGroupRequest = Decoded<typeof syncGroupApi.request>;
export type SyncGroupResponse = Encodable<typeof syncGroupApi.response>;
