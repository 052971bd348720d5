/** ApiVersions: what this broker speaks, exactly what works and nothing else. */
import { advertisedApis } from '../protocol/api-keys.js';
import type { apiVersionsApi } from '../protocol/messages/api-versions.js';
import type { Handler } from './context.js';
import { kafkaCode } from './error-code.js';

export const apiVersions: Handler<typeof apiVersionsApi> = (_context, _request, _info, respond) => {
  respond({ errorCode: kafkaCode('NONE'), apiKeys: advertisedVersions() });
};

/** The list for the version-0 answer to a version we do not know, too. */
export function advertisedVersions(): { apiKey: number; minVersion: number; maxVersion: number }[] {
  return advertisedApis().map(({ key, advertised }) => ({
    apiKey: key,
    minVersion: advertised.min,
    maxVersion: advertised.max,
  }));
}
