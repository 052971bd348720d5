/** SaslHandshake: picks the mechanism. It never became flexible. */
import type { Decoded, Encodable } from '../schema.js';
import { defineApi, int16, string, strings } from '../schema.js';

export const saslHandshakeApi = defineApi({
  key: 17,
  name: 'SaslHandshake',
  advertised: '0-1',
  flexibleFrom: Infinity,
  isServed: false,
  request: {
    mechanism: string('0+'),
  },
  response: {
    errorCode: int16('0+'),
    mechanisms: strings('0+'),
  },
});

export type SaslHandshakeRequest = Decoded<typeof saslHandshakeApi.request>;
export type SaslHandshakeResponse = Encodable<typeof saslHandshakeApi.response>;
