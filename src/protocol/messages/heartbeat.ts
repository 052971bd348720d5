/** Heartbeat: a group member is alive; the answer tells it when to rejoin. */
import type { Decoded, Encodable } from '../schema.js';
import { defineApi, int16, int32, nullableString, string } from '../schema.js';

export const heartbeatApi = defineApi({
  key: 12,
  name: 'Heartbeat',
  advertised: '0-4',
  flexibleFrom: 4,
  isServed: true,
  request: {
    groupId: string('0+'),
    generationId: int32('0+'),
    memberId: string('0+'),
    groupInstanceId: nullableString('3+', { default: null }),
  },
  response: {
    throttleTimeMs: int32('1+'),
    errorCode: int16('0+'),
  },
});

export type HeartbeatRequest = Decoded<typeof heartbeatApi.request>;
export type HeartbeatResponse = Encodable<typeof heartbeatApi.response>;
