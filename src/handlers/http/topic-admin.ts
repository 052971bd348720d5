/** Topics by HTTP: what they are, making and removing them. Error names are Kafka's. */
import { LograftError } from '../../base/errors.js';
import { leaderSeenByClients } from '../../control/leader-table.js';
import type { TopicImage } from '../../control/image.js';
import type { ControlError } from '../../control/operations.js';
import type { HttpContext } from './context.js';
import { Problem } from './problem.js';
import { topicNamed } from './topics.js';

export type PartitionDescription = {
  readonly partition: number;
  /** -1 while nobody leads. */
  readonly leader: number;
  readonly replicas: readonly {
    readonly broker: number;
    readonly leader: boolean;
    readonly in_sync: boolean;
  }[];
};

export type TopicDescription = {
  readonly name: string;
  readonly configs: Readonly<Record<string, string>>;
  readonly partitions: readonly PartitionDescription[];
};

const ADMIN_MS = 30_000;

export function describeTopic(context: HttpContext, topic: TopicImage): TopicDescription {
  const { name, configs, partitions } = topic;
  return {
    name,
    configs,
    partitions: partitions.map(({ partition }) => describePartition(context, topic, partition)),
  };
}

export function describePartition(
  context: HttpContext,
  topic: TopicImage,
  partition: number,
): PartitionDescription {
  const table = context.leaders();
  const leader = leaderSeenByClients(context.image(), table, topic.topicId, partition);
  const inSync = table.get(topic.topicId, partition)?.inSync ?? [];
  const replicas = topic.partitions[partition]?.replicas ?? [];
  return {
    partition,
    leader,
    replicas: replicas.map(({ nodeId }) => ({
      broker: nodeId,
      leader: nodeId === leader,
      in_sync: inSync.includes(nodeId),
    })),
  };
}

/** Counts that are left out are the broker's defaults. */
export type NewTopic = {
  readonly name: string;
  readonly partitions?: number | undefined;
  readonly replicationFactor?: number | undefined;
  /** By Kafka's names. */
  readonly configs?: Readonly<Record<string, string | number | boolean>>;
};

export async function createTopic(
  context: HttpContext,
  { name, partitions = -1, replicationFactor = -1, configs = {} }: NewTopic,
): Promise<TopicDescription> {
  const texts = Object.entries(configs).map(([config, value]) => [config, String(value)] as const);
  const asked = {
    ...{ name, partitions, replicationFactor, assignments: null },
    configs: Object.fromEntries(texts),
  };
  const { value } = await decided(
    context.control({ kind: 'createTopics', topics: [asked], isValidateOnly: false }, ADMIN_MS),
  );
  const [created] = value;
  refuseUnless(created?.error ?? null, created?.message ?? null, name);
  return describeTopic(context, topicNamed(context, name));
}

export async function deleteTopic(context: HttpContext, name: string): Promise<void> {
  topicNamed(context, name);
  const { value } = await decided(
    context.control({ kind: 'deleteTopics', topics: [{ name }] }, ADMIN_MS),
  );
  refuseUnless(value[0]?.error ?? null, value[0]?.message ?? null, name);
}

/** What no controller decided in time may still happen. */
async function decided<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof LograftError)) throw error;
    throw new Problem(503, 'TIMED_OUT', `no controller answered in time: ${error.message}`);
  }
}

const CONTROL_STATUS: Readonly<Partial<Record<ControlError, number>>> = {
  TOPIC_ALREADY_EXISTS: 409,
  UNKNOWN_TOPIC_OR_PARTITION: 404,
  UNKNOWN_TOPIC_ID: 404,
};

function refuseUnless(error: ControlError | null, message: string | null, name: string): void {
  if (error === null) return;
  const text = message ?? `topic ${JSON.stringify(name)} was refused`;
  throw new Problem(CONTROL_STATUS[error] ?? 400, error, text);
}
