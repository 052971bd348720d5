/**
 * DescribeConfigs: effective settings of topics and brokers. Null keys ask for all of a resource.
 */
import type { Decoded, Encodable } from '../schema.js';
import {
  array,
  bool,
  defineApi,
  int8,
  int16,
  int32,
  nullableString,
  nullableStrings,
  string,
} from '../schema.js';

export const describeConfigsApi = defineApi({
  key: 32,
  name: 'DescribeConfigs',
  advertised: '1-4',
  flexibleFrom: 4,
  isServed: true,
  request: {
    resources: array('0+', {
      resourceType: int8('0+'),
      resourceName: string('0+'),
      configurationKeys: nullableStrings('0+'),
    }),
    includeSynonyms: bool('1+', { default: false }),
    includeDocumentation: bool('3+', { default: false }),
  },
  response: {
    throttleTimeMs: int32('0+', { default: 0 }),
    results: array('0+', {
      errorCode: int16('0+'),
      errorMessage: nullableString('0+'),
      resourceType: int8('0+'),
      resourceName: string('0+'),
      configs: array('0+', {
        name: string('0+'),
        value: nullableString('0+'),
        readOnly: bool('0+'),
        configSource: int8('1+', { default: -1 }),
        isSensitive: bool('0+'),
        synonyms: array('1+', {
          name: string('1+'),
          value: nullableString('1+'),
          source: int8('1+'),
        }),
        configType: int8('3+', { default: 0 }),
        documentation: nullableString('3+'),
      }),
    }),
  },
});

export type DescribeConfigsRequest = Decoded<typeof describeConfigsApi.request>;
export type DescribeConfigsResponse = Encodable<typeof describeConfigsApi.response>;
