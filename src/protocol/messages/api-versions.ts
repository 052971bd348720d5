/**
 * ApiVersions (KIP-35, KIP-511): the first request of nearly every client. A version above ours is
 * answered with version 0 of the response, whose header never carries tags.
 */
import type { Decoded, Encodable } from '../schema.js';
import { array, bool, defineApi, int16, int32, int64, string } from '../schema.js';

export const apiVersionsApi = defineApi({
  key: 18,
  name: 'ApiVersions',
  advertised: '0-4',
  flexibleFrom: 3,
  isServed: true,
  request: {
    clientSoftwareName: string('3+'),
    clientSoftwareVersion: string('3+'),
  },
  response: {
    errorCode: int16('0+'),
    apiKeys: array('0+', {
      apiKey: int16('0+'),
      minVersion: int16('0+'),
      maxVersion: int16('0+'),
    }),
    throttleTimeMs: int32('1+'),
    supportedFeatures: array(
      '3+',
      {
        name: string('3+'),
        minVersion: int16('3+'),
        maxVersion: int16('3+'),
      },
      { tag: 0 },
    ),
    finalizedFeaturesEpoch: int64('3+', { tag: 1, default: -1 }),
    finalizedFeatures: array(
      '3+',
      {
        name: string('3+'),
        maxVersionLevel: int16('3+'),
        minVersionLevel: int16('3+'),
      },
      { tag: 2 },
    ),
    zkMigrationReady: bool('3+', { tag: 3 }),
  },
});

export type ApiVersionsRequest = Decoded<typeof apiVersionsApi.request>;
export type ApiVersionsResponse = Encodable<typeof apiVersionsApi.response>;
