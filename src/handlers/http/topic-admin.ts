/** Topics by HTTP: what they are, making and removing them. Error names are Kafka's. */
import { LograftError } from '../../base/errors.js';
import { leaderSeenByClients } from '../../control/leader-table.js';
import type { TopicImage } from '../../control/image.js';
import type { ControlError } from '../../control/operations.js';
import type { HttpContext } from './context.js';
import { badRequest, Problem } from './problem.js';
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
const NEW_TOPIC_FIELDS = ['name', 'partitions', 'replicationFactor', 'configs'] as const;

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

/** `{"name": "orders", "partitions": 6, "replicationFactor": 3, "configs": {…}}` */
export async function createTopic(context: HttpContext, body: unknown): Promise<TopicDescription> {
  const asked = newTopicOf(body);
  const { value } = await decided(
    context.control({ kind: 'createTopics', topics: [asked], isValidateOnly: false }, ADMIN_MS),
  );
  const [created] = value;
  refuseUnless(created?.error ?? null, created?.message ?? null, asked.name);
  return describeTopic(context, topicNamed(context, asked.name));
}

export async function deleteTopic(context: HttpContext, name: string): Promise<void> {
  topicNamed(context, name);
  const { value } = await decided(
    context.control({ kind: 'deleteTopics', topics: [{ name }] }, ADMIN_MS),
  );
  refuseUnless(value[0]?.error ?? null, value[0]?.message ?? null, name);
}

function newTopicOf(body: unknown) {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw badRequest('a topic is created by a JSON object like {"name": "orders"}');
  }
  const fields = body as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(fields)) {
    if ((NEW_TOPIC_FIELDS as readonly string[]).includes(name)) continue;
    const known = NEW_TOPIC_FIELDS.join(', ');
    throw badRequest(`unknown field ${JSON.stringify(name)}; known fields: ${known}`);
  }
  const { name, partitions = -1, replicationFactor = -1, configs = {} } = fields;
  if (typeof name !== 'string') throw badRequest('the field "name" must be a text');
  return {
    name,
    partitions: wholeNumber(partitions, 'partitions'),
    replicationFactor: wholeNumber(replicationFactor, 'replicationFactor'),
    assignments: null,
    configs: configsOf(configs),
  };
}

function wholeNumber(value: unknown, what: string): number {
  if (Number.isInteger(value) && (value as number) >= -1 && (value as number) < 2 ** 31) {
    return value as number;
  }
  throw badRequest(`the field "${what}" is ${JSON.stringify(value)}, not a whole number`);
}

function configsOf(configs: unknown): Record<string, string> {
  if (typeof configs !== 'object' || configs === null || Array.isArray(configs)) {
    throw badRequest('the field "configs" must be an object of Kafka\'s topic settings');
  }
  const entries = Object.entries(configs).map(([name, value]) => {
    const isPlain = ['string', 'number', 'boolean'].includes(typeof value);
    if (isPlain) return [name, String(value)] as const;
    throw badRequest(`config ${JSON.stringify(name)} must be a text, a number or a boolean`);
  });
  return Object.fromEntries(entries);
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
