/** CreateTopics: returns when every live broker knows the topic and its leaders (bounded wait). */
import { CLIENT_WAIT_MS_MAX } from '../base/limits.js';
import { ZERO_UUID } from '../base/uuid.js';
import type { CreatedTopic, NewTopic } from '../control/operations.js';
import type {
  CreateTopicsRequest,
  CreateTopicsResponse,
  createTopicsApi,
} from '../protocol/messages/create-topics.js';
import { CONFIG_SOURCES } from './config-codes.js';
import type { Handler, HandlerContext } from './context.js';
import { answerControl } from './control-call.js';
import { kafkaCode } from './error-code.js';

type TopicAsked = CreateTopicsRequest['topics'][number];
type TopicResult = CreateTopicsResponse['topics'][number];

export const createTopics: Handler<typeof createTopicsApi> = (context, request, _info, respond) => {
  const gapped = request.topics
    .filter(hasGap)
    .map(({ name }) => refused(name, kafkaCode('INVALID_REPLICA_ASSIGNMENT'), GAP));
  const topics = request.topics.filter((topic) => !hasGap(topic)).map(newTopic);
  const timeoutMs = Math.min(Math.max(request.timeoutMs, 0), CLIENT_WAIT_MS_MAX);
  answerControl(
    context.control(
      { kind: 'createTopics', topics, isValidateOnly: request.validateOnly },
      timeoutMs,
    ),
    (results) => {
      const made = results.map((result) => describe(context, request, result));
      respond({ topics: [...gapped, ...made] });
    },
    (code, message) => {
      respond({ topics: [...gapped, ...topics.map(({ name }) => refused(name, code, message))] });
    },
  );
};

const GAP = 'Partitions of a manual assignment must be numbered from 0 on without a gap.';

function hasGap({ assignments }: TopicAsked): boolean {
  const indexes = new Set(assignments.map(({ partitionIndex }) => partitionIndex));
  return assignments.some((_, i) => !indexes.has(i));
}

function newTopic(asked: TopicAsked): NewTopic {
  const byPartition = [...asked.assignments].sort((a, b) => a.partitionIndex - b.partitionIndex);
  return {
    name: asked.name,
    partitions: asked.numPartitions,
    replicationFactor: asked.replicationFactor,
    assignments: byPartition.length === 0 ? null : byPartition.map(({ brokerIds }) => brokerIds),
    configs: Object.fromEntries(
      asked.configs
        .filter(({ value }) => value !== null)
        .map(({ name, value }) => [name, value ?? '']),
    ),
  };
}

function describe(
  context: HandlerContext,
  request: CreateTopicsRequest,
  result: CreatedTopic,
): TopicResult {
  const { name, topicId, error, message, partitions, replicationFactor } = result;
  const asked = request.topics.find((topic) => topic.name === name);
  return {
    name,
    topicId: topicId ?? ZERO_UUID,
    errorCode: kafkaCode(error ?? 'NONE'),
    errorMessage: message,
    numPartitions: partitions,
    replicationFactor,
    // The Java admin client reads them of every topic that was created (KIP-525).
    configs: error === null && asked !== undefined ? configsOf(context, asked) : [],
  };
}

function configsOf(context: HandlerContext, asked: TopicAsked): TopicResult['configs'] {
  return context.configs.topic(newTopic(asked).configs, null).map((entry) => ({
    name: entry.name,
    value: entry.value,
    readOnly: entry.isReadOnly,
    configSource: CONFIG_SOURCES[entry.source],
    isSensitive: entry.isSensitive,
  }));
}

function refused(name: string, errorCode: number, errorMessage: string | null): TopicResult {
  return { name, topicId: ZERO_UUID, errorCode, errorMessage, configs: [] };
}
