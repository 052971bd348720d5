/**
 * `lograft topic create|list|describe|alter|delete`. Works over Kafka's requests; the topic object
 * it prints is the one of `status`, gathered from the brokers after the change.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { LograftError } from '../base/errors.js';
import { statusByAddress, topicDocument } from './cluster/cluster-status.js';
import type { WhereOptions } from './cluster/locate.js';
import type { TopicStatus } from './cluster/node-status.js';
import { alterConfigs, createPartitions, createTopic, deleteTopic } from './kafka/admin.js';
import type { KafkaClient } from './kafka/client.js';
import { keyValues, usage } from './options.js';
import { EXIT, type Output, table } from './output.js';
import { partitionTable, visibleTopics } from './status.js';
import { withClient } from './with-client.js';

const SETTLE_MS = 10_000;
const SETTLE_POLL_MS = 50;

export type CreateOptions = WhereOptions & {
  readonly partitions?: number;
  readonly replicas?: number;
  readonly topicConfig?: readonly string[];
};

export type AlterOptions = WhereOptions & {
  readonly partitions?: number;
  readonly topicConfig?: readonly string[];
  readonly unset?: readonly string[];
};

export async function createCommand(
  output: Output,
  name: string,
  options: CreateOptions,
): Promise<number> {
  const configs = topicConfigs(options);
  return withClient(options, async (client) => {
    const work = (async () => {
      await createTopic(client, {
        name,
        partitions: options.partitions ?? -1,
        replicationFactor: options.replicas ?? -1,
        configs,
      });
      return settledTopic(client, name, () => true);
    })();
    const topic = await output.progress(() => `creating ${name}`, work);
    const [first] = topic.partitions;
    const shape = `${topic.partitions.length} partitions, ${first?.replicas.length ?? 0} replicas`;
    output.result(topicDocument(topic), `created ${name}: ${shape}`);
    return EXIT.done;
  });
}

export async function listCommand(
  output: Output,
  options: WhereOptions & { readonly internal?: boolean },
): Promise<number> {
  return withClient(options, async (client) => {
    const topics = visibleTopics(await gather(client), options.internal ?? false);
    const rows = topics.map((topic) => [
      topic.name,
      String(topic.partitions.length),
      String(topic.partitions[0]?.replicas.length ?? 0),
      topic.topicId,
    ]);
    output.result(
      topics.map(topicDocument),
      table(['TOPIC', 'PARTITIONS', 'REPLICAS', 'ID'], rows),
    );
    return EXIT.done;
  });
}

export async function describeCommand(
  output: Output,
  name: string,
  options: WhereOptions,
): Promise<number> {
  return withClient(options, async (client) => {
    const topic = await mustFind(client, name);
    output.result(topicDocument(topic), describeText(topic));
    return EXIT.done;
  });
}

export async function alterCommand(
  output: Output,
  name: string,
  options: AlterOptions,
): Promise<number> {
  const set = topicConfigs(options);
  const unset = options.unset ?? [];
  const { partitions } = options;
  const hasConfigs = Object.keys(set).length + unset.length > 0;
  if (!hasConfigs && partitions === undefined) {
    throw usage('topic alter: nothing to change; give -c KEY=VALUE, --unset KEY or -p N');
  }
  return withClient(options, async (client) => {
    await mustFind(client, name);
    if (hasConfigs) await alterConfigs(client, name, set, unset);
    if (partitions !== undefined) await createPartitions(client, name, partitions);
    const topic = await settledTopic(client, name, (now) => {
      const hasAll = partitions === undefined || now.partitions.length >= partitions;
      return (
        hasAll &&
        Object.entries(set).every(([key, value]) => now.configs[key] === value) &&
        unset.every((key) => !(key in now.configs))
      );
    });
    output.result(topicDocument(topic), describeText(topic));
    return EXIT.done;
  });
}

export async function deleteCommand(
  output: Output,
  name: string,
  options: WhereOptions,
): Promise<number> {
  return withClient(options, async (client) => {
    const topic = await mustFind(client, name);
    await deleteTopic(client, name);
    output.result(topicDocument(topic), `deleted ${name}`);
    return EXIT.done;
  });
}

/**
 * Kafka's own tools take a topic's configs by `--config`, which here names a cluster.yml for every
 * command: it must not be lost.
 */
function topicConfigs({ config = '', topicConfig = [] }: CreateOptions): Record<string, string> {
  if (/^[a-z.]+=/.test(config)) {
    throw usage(`--config ${config}: expected a cluster.yml`, `for the topic say -c ${config}`);
  }
  return keyValues('-c', topicConfig);
}

async function gather(client: KafkaClient): Promise<readonly TopicStatus[]> {
  await client.refresh([]);
  return (await statusByAddress([...client.brokers.values()])).topics;
}

async function mustFind(client: KafkaClient, name: string): Promise<TopicStatus> {
  const found = (await gather(client)).find((topic) => topic.name === name);
  if (found === undefined) throw new LograftError('NOT_FOUND', `there is no topic ${name}`);
  return found;
}

/**
 * The topic once it shows `isExpected` and every partition has a leader with known offsets. What a
 * cluster with nodes missing has to show after ten seconds is shown as it is.
 */
async function settledTopic(
  client: KafkaClient,
  name: string,
  isExpected: (topic: TopicStatus) => boolean,
): Promise<TopicStatus> {
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    const topic = (await gather(client)).find((t) => t.name === name);
    const isSettled =
      topic !== undefined &&
      isExpected(topic) &&
      topic.partitions.every((p) => p.leader !== -1 && p.highWatermark >= 0);
    if (isSettled) return topic;
    if (performance.now() > deadline) return topic ?? mustFind(client, name);
    await sleep(SETTLE_POLL_MS);
  }
}

function describeText(topic: TopicStatus): string {
  const configs = Object.entries(topic.configs).map(([key, value]) => `${key}=${value}`);
  const head = `${topic.name}, id ${topic.topicId}`;
  const settings = configs.length === 0 ? 'every config at its default' : configs.join('  ');
  return `${head}\n${settings}\n\n${partitionTable([topic])}`;
}
