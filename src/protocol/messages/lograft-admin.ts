/**
 * LograftAdmin, a private API: orders that Kafka has no request for, such as moving a partition's
 * leader. Command and answer are JSON documents. Never advertised.
 */
import type { Decoded, Encodable } from '../schema.js';
import { defineApi, int16, text } from '../schema.js';

export const lograftAdminApi = defineApi({
  key: 10_001,
  name: 'LograftAdmin',
  advertised: '0-0',
  flexibleFrom: 0,
  isServed: true,
  isPrivate: true,
  request: {
    command: text('0+'),
  },
  response: {
    errorCode: int16('0+'),
    json: text('0+'),
  },
});

export type LograftAdminRequest = Decoded<typeof lograftAdminApi.request>;
export type LograftAdminResponse = Encodable<typeof lograftAdminApi.response>;
