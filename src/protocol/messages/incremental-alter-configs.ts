/** IncrementalAlterConfigs: changes single settings and leaves the others as they are (KIP-339). */
import type { Decoded, Encodable } from '../schema.js';
import { array, bool, defineApi, int8, int16, int32, nullableString, string } from '../schema.js';

export const incrementalAlterConfigsApi = defineApi({
  key: 44,
  name: 'IncrementalAlterConfigs',
  advertised: '0-1',
  flexibleFrom: 1,
  isServed: true,
  request: {
    resources: array('0+', {
      resourceType: int8('0+'),
      resourceName: string('0+'),
      configs: array('0+', {
        name: string('0+'),
        /** 0 set, 1 delete, 2 append, 3 subtract. */
        configOperation: int8('0+'),
        value: nullableString('0+'),
      }),
    }),
    validateOnly: bool('0+'),
  },
  response: {
    throttleTimeMs: int32('0+', { default: 0 }),
    responses: array('0+', {
      errorCode: int16('0+'),
      errorMessage: nullableString('0+'),
      resourceType: int8('0+'),
      resourceName: string('0+'),
    }),
  },
});

export type IncrementalAlterConfigsRequest = Decoded<typeof incrementalAlterConfigsApi.request>;
export type IncrementalAlterConfigsResponse = Encodable<typeof incrementalAlterConfigsApi.response>;
