/**
 * LograftStatus, a private API: what one node knows of itself and of the cluster, as one JSON
 * document. It is answered on the Kafka port so that the CLI needs no second door, and it is never
 * advertised.
 */
import type { Decoded, Encodable } from '../schema.js';
import { defineApi, int16, text } from '../schema.js';

export const lograftStatusApi = defineApi({
  key: 10_000,
  name: 'LograftStatus',
  advertised: '0-0',
  flexibleFrom: 0,
  isServed: true,
  isPrivate: true,
  request: {},
  response: {
    errorCode: int16('0+'),
    json: text('0+'),
  },
});

export type LograftStatusRequest = Decoded<typeof lograftStatusApi.request>;
export type LograftStatusResponse = Encodable<typeof lograftStatusApi.response>;
