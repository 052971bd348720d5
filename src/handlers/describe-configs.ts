/** DescribeConfigs of topics and of this broker: values in force and where they come from. */
import type { ConfigEntry, ConfigSource } from '../control/topic-config.js';
import type {
  DescribeConfigsRequest,
  DescribeConfigsResponse,
  describeConfigsApi,
} from '../protocol/messages/describe-configs.js';
import type { Handler, HandlerContext } from './context.js';
import { kafkaCode } from './error-code.js';
import { RESOURCE_BROKER, RESOURCE_TOPIC } from './resource-types.js';

type Resource = DescribeConfigsRequest['resources'][number];
type Result = DescribeConfigsResponse['results'][number];

/** Kafka's numbers of where a value comes from and of what type it is. */
const SOURCES: Readonly<Record<ConfigSource, number>> = {
  DYNAMIC_TOPIC_CONFIG: 1,
  STATIC_BROKER_CONFIG: 4,
  DEFAULT_CONFIG: 5,
};
const TYPES: Readonly<Record<ConfigEntry['type'], number>> = {
  boolean: 1,
  string: 2,
  int: 3,
  long: 5,
  double: 6,
  list: 7,
};

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
      configSource: SOURCES[entry.source],
      isSensitive: entry.isSensitive,
      synonyms: request.includeSynonyms
        ? entry.synonyms.map(({ name, value, source }) => ({
            name,
            value,
            source: SOURCES[source],
          }))
        : [],
      configType: TYPES[entry.type],
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
