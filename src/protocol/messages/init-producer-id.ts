/**
 * InitProducerId: every default Java producer asks for one, transactional or not.
 */
import type { Decoded, Encodable } from '../schema.js';
import { defineApi, int16, int32, int64, nullableString } from '../schema.js';

export const initProducerIdApi = defineApi({
  key: 22,
  name: 'InitProducerId',
  advertised: '0-4',
  flexibleFrom: 2,
  isServed: true,
  request: {
    transactionalId: nullableString('0+'),
    transactionTimeoutMs: int32('0+'),
    producerId: int64('3+', { default: -1 }),
    producerEpoch: int16('3+', { default: -1 }),
  },
  response: {
    throttleTimeMs: int32('0+', { default: 0 }),
    errorCode: int16('0+'),
    producerId: int64('0+', { default: -1 }),
    producerEpoch: int16('0+'),
  },
});

export type InitProducerIdRequest = Decoded<typeof initProducerIdApi.request>;
export type InitProducerIdResponse = Encodable<typeof initProducerIdApi.response>;
