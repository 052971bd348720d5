/**
 * AlterConfigs: replaces all settings of a resource; what is not named goes back to its default.
 */
import type { Decoded, Encodable } from '../schema.js';
import { array, bool, defineApi, int8, int16, int32, nullableString, string } from '../schema.js';

export const alterConfigsApi = defineApi({
  key: 33,
  name: 'AlterConfigs',
  advertised: '0-2',
  flexibleFrom: 2,
  isServed: false,
  request: {
    resources: array('0+', {
      resourceType: int8('0+'),
      resourceName: string('0+'),
      configs: array('0+', {
        name: string('0+'),
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

export type AlterConfigsRequest = Decoded<typeof alterConfigsApi.request>;
export type AlterConfigsResponse = Encodable<typeof alterConfigsApi.response>;
