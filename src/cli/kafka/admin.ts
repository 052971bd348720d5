/**
 * Topic administration over Kafka's own requests, sent to the controller, repeated when it moves.
 * A repeated request whose first try did its work although the answer was lost counts as done.
 */
import { ERROR, type ErrorName } from '../../protocol/errors.js';
import { createPartitionsApi } from '../../protocol/messages/create-partitions.js';
import { createTopicsApi } from '../../protocol/messages/create-topics.js';
import { deleteTopicsApi } from '../../protocol/messages/delete-topics.js';
import { incrementalAlterConfigsApi } from '../../protocol/messages/incremental-alter-configs.js';
import type { Api, DecodedFields, EncodableFields, Fields } from '../../protocol/schema.js';
import { type KafkaClient, retrying } from './client.js';
import { KafkaError, throwIfError } from './errors.js';

const REQUEST_TIMEOUT_MS = 15_000;
const DEADLINE_MS = 30_000;
const RESOURCE_TOPIC = 2;
const OPERATION_SET = 0;
const OPERATION_DELETE = 1;

export type NewTopic = {
  readonly name: string;
  /** -1: the broker's default. */
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly configs: Readonly<Record<string, string>>;
};

/** Throws KafkaError. */
export async function createTopic(client: KafkaClient, topic: NewTopic): Promise<void> {
  const request = {
    topics: [
      {
        name: topic.name,
        numPartitions: topic.partitions,
        replicationFactor: topic.replicationFactor,
        assignments: [],
        configs: Object.entries(topic.configs).map(([name, value]) => ({ name, value })),
      },
    ],
    timeoutMs: REQUEST_TIMEOUT_MS,
  };
  await onController(client, createTopicsApi, request, 'TOPIC_ALREADY_EXISTS', (body) => {
    const answer = body.topics[0];
    throwIfError(answer?.errorCode ?? -1, `topic ${topic.name}`, answer?.errorMessage);
  });
}

/** Throws KafkaError. */
export async function deleteTopic(client: KafkaClient, name: string): Promise<void> {
  const request = { topics: [{ name }], topicNames: [name], timeoutMs: REQUEST_TIMEOUT_MS };
  await onController(client, deleteTopicsApi, request, 'UNKNOWN_TOPIC_OR_PARTITION', (body) => {
    const answer = body.responses[0];
    throwIfError(answer?.errorCode ?? -1, `topic ${name}`, answer?.errorMessage);
  });
}

/** Raises the number of partitions to `count`. Throws KafkaError. */
export async function createPartitions(
  client: KafkaClient,
  name: string,
  count: number,
): Promise<void> {
  const request = {
    topics: [{ name, count, assignments: null }],
    timeoutMs: REQUEST_TIMEOUT_MS,
    validateOnly: false,
  };
  await onController(client, createPartitionsApi, request, null, (body) => {
    const answer = body.results[0];
    throwIfError(answer?.errorCode ?? -1, `topic ${name}`, answer?.errorMessage);
  });
}

/** Sets configs, and takes those in `unset` back to their defaults. Throws KafkaError. */
export async function alterConfigs(
  client: KafkaClient,
  name: string,
  set: Readonly<Record<string, string>>,
  unset: readonly string[],
): Promise<void> {
  const configs = [
    ...Object.entries(set).map(([key, value]) => ({
      name: key,
      configOperation: OPERATION_SET,
      value,
    })),
    ...unset.map((key) => ({ name: key, configOperation: OPERATION_DELETE, value: null })),
  ];
  const request = {
    resources: [{ resourceType: RESOURCE_TOPIC, resourceName: name, configs }],
    validateOnly: false,
  };
  await onController(client, incrementalAlterConfigsApi, request, null, (body) => {
    const answer = body.responses[0];
    throwIfError(answer?.errorCode ?? -1, `topic ${name}`, answer?.errorMessage);
  });
}

/** `doneBefore`: the error that a repetition gets when an earlier try had succeeded. */
async function onController<Q extends Fields, S extends Fields>(
  client: KafkaClient,
  api: Api<Q, S>,
  request: EncodableFields<Q>,
  doneBefore: ErrorName | null,
  check: (body: DecodedFields<S>) => void,
): Promise<void> {
  let isPerhapsDone = false;
  await retrying(
    performance.now() + DEADLINE_MS,
    async () => {
      await client.refresh([]);
      const connection = await client.toNode(client.controllerId);
      try {
        check(await connection.request(api, request, 2 * REQUEST_TIMEOUT_MS));
      } catch (error) {
        const name = error instanceof KafkaError ? error.info.name : null;
        if (isPerhapsDone && name !== null && name === doneBefore) return;
        isPerhapsDone ||= name === null || name === ERROR_TIMED_OUT;
        throw error;
      }
    },
    isWorthRepeating,
  );
}

const ERROR_TIMED_OUT: ErrorName = 'REQUEST_TIMED_OUT';

/** Unlike for records, an unknown topic is final here: this is the one who would create it. */
function isWorthRepeating(error: unknown): boolean {
  if (!(error instanceof KafkaError))
    return error instanceof Error && error.name === 'ConnectionError';
  const { code, isRetriable } = error.info;
  const isFinal = code === ERROR.UNKNOWN_TOPIC_OR_PARTITION || code === ERROR.REQUEST_TIMED_OUT;
  return (isRetriable && !isFinal) || code === ERROR.BROKER_NOT_AVAILABLE;
}
