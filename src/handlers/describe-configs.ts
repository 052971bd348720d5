/** DescribeConfigs of topics and of this broker: values in force and where they come from. */
import type { ConfigEntry } from '../control/topic-config.js';
import type {
  DescribeConfigsRequest,
  DescribeConfigsResponse,
  describeConfigsApi,
} from '../protocol/messages/describe-configs.js';
import { CONFIG_SOURCES, CONFIG_TYPES } from './config-codes.js';
import type { Handler, HandlerContext } from './context.js';
import { kafkaCode } from './error-code.js';
import { RESOURCE_BROKER, RESOURCE_TOPIC } from './resource-types.js';

type Resource = DescribeConfigsRequest['resources'][number];
type Result = DescribeConfigsResponse['results'][number];

export const describeConfigs: Handler<typeof describeConfigsApi> = (
  context,
  request,
  _info,
  respond,
) => {
  const results = request.resources.map((resource): Result => {
    const { resourceType, resourceName } = resource;
    const found = entriesOf(context, resource);
    if ('error' in found) {
      const { error: errorMessage, code } = found;
      return { errorCode: code, errorMessage, resourceType, resourceName, configs: [] };
    }
    const configs = found.entries.map((entry) => ({
      name: entry.name,
      value: entry.value,
      readOnly: entry.isReadOnly,
      configSource: CONFIG_SOURCES[entry.source],
      isSensitive: entry.isSensitive,
      synonyms: request.includeSynonyms
        ? entry.synonyms.map(({ name, value, source }) => ({
            name,
            value,
            source: CONFIG_SOURCES[source],
          }))
        : [],
      configType: CONFIG_TYPES[entry.type],
      documentation: request.includeDocumentation ? entry.documentation : null,
    }));
    return {
      errorCode: kafkaCode('NONE'),
      errorMessage: null,
      resourceType,
      resourceName,
      configs,
    };
  });
  respond({ results });
};

type Found = { entries: readonly ConfigEntry[] } | { error: string | null; code: number };

function entriesOf(context: HandlerContext, resource: Resource): Found {
  const { resourceType, resourceName, configurationKeys } = resource;
  if (resourceType === RESOURCE_TOPIC) {
    const topic = context.image().topics.get(resourceName);
    if (topic === undefined) return { error: null, code: kafkaCode('UNKNOWN_TOPIC_OR_PARTITION') };
    return { entries: context.configs.topic(topic.configs, configurationKeys) };
  }
  if (resourceType !== RESOURCE_BROKER) {
    const error = `resource type ${resourceType} has no configs here`;
    return { error, code: kafkaCode('INVALID_REQUEST') };
  }
  if (resourceName !== '' && resourceName !== String(context.nodeId)) {
    const error = `Unexpected broker id, expected ${context.nodeId} or empty, got ${resourceName}`;
    return { error, code: kafkaCode('INVALID_REQUEST') };
  }
  return { entries: context.configs.broker(configurationKeys) };
}
