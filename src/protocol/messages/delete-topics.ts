/** DeleteTopics: by name up to version 5, by name or id from version 6 on (KIP-516). */
import type { Decoded, Encodable } from '../schema.js';
import { array, defineApi, int16, int32, nullableString, strings, uuid } from '../schema.js';

export const deleteTopicsApi = defineApi({
  key: 20,
  name: 'DeleteTopics',
  advertised: '1-6',
  flexibleFrom: 4,
  isServed: true,
  request: {
    topics: array('6+', {
      name: nullableString('6+', { default: null }),
      topicId: uuid('6+'),
    }),
    topicNames: strings('0-5'),
    timeoutMs: int32('0+'),
  },
  response: {
    throttleTimeMs: int32('1+'),
    responses: array('0+', {
      name: nullableString('0+', { nullable: '6+' }),
      topicId: uuid('6+'),
      errorCode: int16('0+'),
      errorMessage: nullableString('5+', { default: null }),
    }),
  },
});

export type DeleteTopicsRequest = Decoded<typeof deleteTopicsApi.request>;
export type DeleteTopicsResponse = Encodable<typeof deleteTopicsApi.response>;
