/**
 * A topic for a workload. Its promises: it is ready to be loaded when it is handed out, its data
 * is bounded alike on every system, and nothing of it is left on any disk once it was closed, nor
 * when it could not be made ready.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { awaitSettled, createTopic, deleteTopic, retry } from './kafka-calls.js';
import type { Cluster, Durability, System } from './system.js';

export type Topic = {
  readonly cluster: Cluster;
  readonly name: string;
  close(): Promise<void>;
};

export type TopicOptions = {
  readonly partitions: number;
  readonly durability: Durability;
  readonly configs: Readonly<Record<string, string>>;
};

const MIB = 2 ** 20;
/** Of all partitions together; a segment more of each may be there until it is deleted. */
const RETAINED_BYTES = 288 * MIB;
const SEGMENTS_BYTES = 192 * MIB;
const SEGMENT_BYTES_MAX = 32 * MIB;
/** Smaller ones would measure little but the making of files. */
const SEGMENT_BYTES_MIN = 2 * MIB;

let topicCount = 0;

/** A name that no other workload of this process has. */
export function newTopicName(id: string): string {
  topicCount += 1;
  return `bench-${id.toLowerCase()}-${topicCount}`;
}

/** Old data goes before the disk has to take it; each system is given the same. */
export function boundedConfigs(partitions: number): Record<string, string> {
  const share = (bytes: number): number => Math.floor(bytes / partitions);
  const segment = Math.min(SEGMENT_BYTES_MAX, Math.max(SEGMENT_BYTES_MIN, share(SEGMENTS_BYTES)));
  const retained = Math.max(SEGMENT_BYTES_MIN / 2, share(RETAINED_BYTES));
  return { 'retention.bytes': String(retained), 'segment.bytes': String(segment) };
}

/** `makeReady` is what else has to be done before it is handed out. */
export async function openTopic(
  system: System,
  id: string,
  { partitions, durability, configs }: TopicOptions,
  makeReady: (topic: Topic) => Promise<unknown> = () => Promise.resolve(),
): Promise<Topic> {
  const cluster = await system.cluster();
  const name = newTopicName(id);
  const all = { ...configs, ...system.peer.topicConfigs(durability) };
  const close = () => removeTopic(cluster, name);
  const topic = { cluster, name, close };
  try {
    await createTopic(cluster.bootstrap, name, partitions, all);
    await awaitSettled(cluster.bootstrap, name);
    await makeReady(topic);
  } catch (error) {
    await close().catch(() => undefined);
    throw error;
  }
  return topic;
}

/** Waits until the files are gone, too: deleting them is work that the next run must not see. */
async function removeTopic({ bootstrap, directory }: Cluster, name: string): Promise<void> {
  await deleteTopic(bootstrap, name);
  await retry(`the end of ${name}`, () => {
    const left = foldersOf(directory, name);
    if (left.length === 0) return Promise.resolve();
    return Promise.reject(new Error(`${left.length} folders are left: ${left[0]}`));
  });
}

/** Of its partitions, on every node: each system names them topic-partition. */
function foldersOf(directory: string, topic: string): string[] {
  const nodes = readdirSync(directory, { withFileTypes: true }).filter((it) => it.isDirectory());
  return nodes
    .flatMap(({ name }) => readdirSync(join(directory, name)))
    .filter((name) => name.startsWith(`${topic}-`));
}
