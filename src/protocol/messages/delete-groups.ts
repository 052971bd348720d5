/** DeleteGroups: forgets empty groups and their offsets. (The doubled plural is Kafka's own.) */
import type { Decoded, Encodable } from '../schema.js';
import { array, defineApi, int16, int32, string, strings } from '../schema.js';

export const deleteGroupsApi = defineApi({
  key: 42,
  name: 'DeleteGroups',
  advertised: '0-2',
  flexibleFrom: 2,
  isServed: true,
  request: {
    groupsNames: strings('0+'),
  },
  response: {
    throttleTimeMs: int32('0+', { default: 0 }),
    results: array('0+', {
      groupId: string('0+'),
      errorCode: int16('0+'),
    }),
  },
});

export type DeleteGroupsRequest = Decoded<typeof deleteGroupsApi.request>;
export type DeleteGroupsResponse = Encodable<typeof deleteGroupsApi.response>;
