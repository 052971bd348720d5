/** SaslAuthenticate: one step of the chosen mechanism (KIP-152). */
import type { Decoded, Encodable } from '../schema.js';
import { bytes, defineApi, int16, int64, nullableString } from '../schema.js';

export const saslAuthenticateApi = defineApi({
  key: 36,
  name: 'SaslAuthenticate',
  advertised: '0-2',
  flexibleFrom: 2,
  isServed: false,
  request: {
    authBytes: bytes('0+'),
  },
  response: {
    errorCode: int16('0+'),
    errorMessage: nullableString('0+'),
    authBytes: bytes('0+'),
    sessionLifetimeMs: int64('1+', { default: 0 }),
  },
});

export type SaslAuthenticateRequest = Decoded<typeof saslAuthenticateApi.request>;
export type SaslAuthenticateResponse = Encodable<typeof saslAuthenticateApi.response>;
