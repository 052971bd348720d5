/**
 * Metadata: brokers, topics, leaders. A topic that has no leaders yet is answered after a bounded
 * wait with LEADER_NOT_AVAILABLE, never as unknown: kafkajs retries only the former.
 */
import { LograftError } from '../base/errors.js';
import { ZERO_UUID } from '../base/uuid.js';
import type { ClusterImage, PartitionImage, TopicImage } from '../control/image.js';
import { isInternalTopic, liveBrokers } from '../control/image.js';
import { hasLeaders, leaderSeenByClients } from '../control/leader-table.js';
import type {
  MetadataRequest,
  MetadataResponse,
  metadataApi,
} from '../protocol/messages/metadata.js';
import type { Handler, HandlerContext } from './context.js';
import { kafkaCode } from './error-code.js';

type TopicResponse = MetadataResponse['topics'][number];
type PartitionResponse = TopicResponse['partitions'][number];
type TopicAsked = NonNullable<MetadataRequest['topics']>[number];

/** How long a client waits for a topic that its own request created. */
const AUTO_CREATE_WAIT_MS = 5_000;
/** How long a client waits for the leaders of a topic that exists. */
const LEADERS_WAIT_MS = 500;
const LEADERS_POLL_MS = 20;
/** How long a client waits for a broker that has just started. */
const START_WAIT_MS = 5_000;

export const metadata: Handler<typeof metadataApi> = (context, request, info, respond) => {
  const asked = askedTopics(request, info.apiVersion);
  if (!context.isCurrent()) {
    whenCurrent(context, () => answerAsked(context, request, asked, respond));
    return;
  }
  answerAsked(context, request, asked, respond);
};

/** A broker that starts knows no topics yet: its clients wait, bounded, until it does. */
function whenCurrent(context: HandlerContext, then: () => void): void {
  const deadlineMs = context.clock.monotonicMs() + START_WAIT_MS;
  const check = (): void => {
    if (context.isCurrent() || context.clock.monotonicMs() >= deadlineMs) then();
    else setTimeout(check, LEADERS_POLL_MS);
  };
  check();
}

function answerAsked(
  context: HandlerContext,
  request: MetadataRequest,
  asked: readonly TopicAsked[] | null,
  respond: (response: MetadataResponse) => void,
): void {
  if (asked === null) {
    respond(
      describe(
        context,
        [...context.image().topics.values()].map((t) => knownTopic(context, t)),
      ),
    );
    return;
  }
  const missing = missingNames(context.image(), asked);
  const mayCreate =
    missing.length > 0 && request.allowAutoTopicCreation && context.settings.isAutoCreate;
  const answer = (refused: ReadonlyMap<string, number>): void => {
    respond(
      describe(
        context,
        asked.map((topic) => describeAsked(context, topic, refused)),
      ),
    );
  };
  if (mayCreate) {
    void autoCreate(context, missing).then((refused) => whenLed(context, asked, refused, answer));
  } else {
    whenLed(context, asked, NOBODY_REFUSED, answer);
  }
}

const NOBODY_REFUSED: ReadonlyMap<string, number> = new Map();

/** Null for all topics: a null list, or an empty one in version 0. */
function askedTopics(request: MetadataRequest, apiVersion: number): readonly TopicAsked[] | null {
  if (request.topics === null) return null;
  return apiVersion === 0 && request.topics.length === 0 ? null : request.topics;
}

/** Internal topics are not missed: who needs them makes them, with their own settings. */
function missingNames(image: ClusterImage, asked: readonly TopicAsked[]): string[] {
  const names = asked.map(({ name }) => name).filter((name) => name !== null);
  const isMissing = (name: string): boolean => image.topics.get(name) === undefined;
  return [...new Set(names)].filter((name) => isMissing(name) && !isInternalTopic(name));
}

/** Creates what is missing; returns the code of each that the image still lacks then. */
async function autoCreate(
  context: HandlerContext,
  names: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const topics = names.map((name) => ({
    name,
    partitions: -1,
    replicationFactor: -1,
    assignments: null,
    configs: {},
  }));
  try {
    const result = await context.control(
      { kind: 'createTopics', topics, isValidateOnly: false },
      AUTO_CREATE_WAIT_MS,
    );
    const codes = result.value.map(({ name, error }) => {
      const isThere = error === null || error === 'TOPIC_ALREADY_EXISTS';
      return [name, kafkaCode(isThere ? 'LEADER_NOT_AVAILABLE' : error)] as const;
    });
    return new Map(codes);
  } catch (error) {
    if (!(error instanceof LograftError)) throw error;
    // No controller in time: the client asks again.
    return new Map(names.map((name) => [name, kafkaCode('LEADER_NOT_AVAILABLE')]));
  }
}

/** Waits, bounded, until every asked topic has its leaders. */
function whenLed(
  context: HandlerContext,
  asked: readonly TopicAsked[],
  refused: ReadonlyMap<string, number>,
  answer: (refused: ReadonlyMap<string, number>) => void,
): void {
  const deadlineMs = context.clock.monotonicMs() + LEADERS_WAIT_MS;
  const check = (): void => {
    const image = context.image();
    const isLed = asked.every(({ topicId, name }) => {
      const topic = name === null ? image.topicsById.get(topicId) : image.topics.get(name);
      return topic === undefined || hasLeaders(image, context.leaders(), topic.topicId);
    });
    if (isLed || context.clock.monotonicMs() >= deadlineMs) answer(refused);
    else setTimeout(check, LEADERS_POLL_MS);
  };
  check();
}

function describe(context: HandlerContext, topics: TopicResponse[]): MetadataResponse {
  const image = context.image();
  const brokers = liveBrokers(image);
  const controllerId = context.controllerId();
  const isLive = brokers.some(({ nodeId }) => nodeId === controllerId);
  return {
    brokers: brokers.map(({ nodeId, kafka, rack }) => ({ nodeId, ...kafka, rack: rack ?? '' })),
    clusterId: image.clusterId,
    // kafkajs cannot work without a controller that is in the list.
    controllerId: isLive ? controllerId : (brokers[0]?.nodeId ?? -1),
    topics,
  };
}

function describeAsked(
  context: HandlerContext,
  asked: TopicAsked,
  refused: ReadonlyMap<string, number>,
): TopicResponse {
  const image = context.image();
  const { name, topicId } = asked;
  if (name === null) {
    const topic = image.topicsById.get(topicId);
    return topic === undefined
      ? { ...NO_TOPIC, errorCode: kafkaCode('UNKNOWN_TOPIC_ID'), name: null, topicId }
      : knownTopic(context, topic);
  }
  const topic = image.topics.get(name);
  if (topic !== undefined) return knownTopic(context, topic);
  const unknown = context.isCurrent() ? 'UNKNOWN_TOPIC_OR_PARTITION' : 'LEADER_NOT_AVAILABLE';
  const errorCode = refused.get(name) ?? kafkaCode(unknown);
  return { ...NO_TOPIC, errorCode, name };
}

const NO_TOPIC = { topicId: ZERO_UUID, isInternal: false, partitions: [] };

function knownTopic(context: HandlerContext, topic: TopicImage): TopicResponse {
  return {
    errorCode: kafkaCode('NONE'),
    name: topic.name,
    topicId: topic.topicId,
    isInternal: topic.isInternal,
    partitions: topic.partitions.map((partition) => describePartition(context, topic, partition)),
  };
}

function describePartition(
  context: HandlerContext,
  { topicId }: TopicImage,
  { partition, replicas }: PartitionImage,
): PartitionResponse {
  const image = context.image();
  const leaders = context.leaders();
  const entry = leaders.get(topicId, partition);
  const leaderId = leaderSeenByClients(image, leaders, topicId, partition);
  const replicaNodes = replicas.map(({ nodeId }) => nodeId);
  return {
    errorCode: kafkaCode(leaderId === -1 ? 'LEADER_NOT_AVAILABLE' : 'NONE'),
    partitionIndex: partition,
    leaderId,
    leaderEpoch: entry?.leaderEpoch ?? -1,
    replicaNodes,
    isrNodes: entry?.inSync ?? [],
    offlineReplicas: replicaNodes.filter((id) => image.brokers.get(id)?.isFenced !== false),
  };
}
