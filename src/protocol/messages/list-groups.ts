/** ListGroups: the groups that this broker coordinates. */
import type { Decoded, Encodable } from '../schema.js';
import { array, defineApi, int16, int32, string, strings } from '../schema.js';

export const listGroupsApi = defineApi({
  key: 16,
  name: 'ListGroups',
  advertised: '0-4',
  flexibleFrom: 3,
  isServed: true,
  request: {
    statesFilter: strings('4+'),
  },
  response: {
    throttleTimeMs: int32('1+'),
    errorCode: int16('0+'),
    groups: array('0+', {
      groupId: string('0+'),
      protocolType: string('0+'),
      groupState: string('4+'),
    }),
  },
});

export type ListGroupsRequest = Decoded<typeof listGroupsApi.request>;
export type ListGroupsResponse = Encodable<typeof listGroupsApi.response>;
