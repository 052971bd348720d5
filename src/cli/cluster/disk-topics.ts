/**
 * What the folders of a data directory tell about its topics, for when no node can be asked. Reads
 * names and `partition.metadata` only, never a log.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { METADATA_TOPIC } from '../../base/group.js';
import type { NodeId } from '../../base/units.js';
import { nodeDirectory } from '../../broker/node-config.js';
import type { PartitionStatus, TopicStatus } from './node-status.js';

/** Topics by name, leaderless, with the nodes that hold a folder as replicas. */
export function topicsOnDisk(dataDir: string, nodeIds: readonly NodeId[]): TopicStatus[] {
  const found = new Map<string, { topicId: string; replicas: Map<number, NodeId[]> }>();
  for (const nodeId of nodeIds) {
    const directory = nodeDirectory(dataDir, nodeId);
    for (const folder of listFolders(directory)) {
      const match = /^(.+)-(\d+)$/.exec(folder);
      const name = match?.[1];
      if (name === undefined || name === METADATA_TOPIC) continue;
      const topicId = topicIdOf(join(directory, folder));
      // Without the file it is not a partition's folder.
      if (topicId === null) continue;
      const topic = found.get(name) ?? { topicId, replicas: new Map<number, NodeId[]>() };
      found.set(name, topic);
      const partition = Number(match?.[2]);
      topic.replicas.set(partition, [...(topic.replicas.get(partition) ?? []), nodeId]);
    }
  }
  return [...found]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { topicId, replicas }]) => ({
      name,
      topicId,
      configs: {},
      isInternal: name.startsWith('__'),
      partitions: [...replicas].sort(([a], [b]) => a - b).map(leaderless),
    }));
}

/** The cluster id that the nodes on this directory agreed on; null before they did. */
export function clusterIdOnDisk(dataDir: string, nodeIds: readonly NodeId[]): string | null {
  for (const nodeId of nodeIds) {
    const text = readOptional(join(nodeDirectory(dataDir, nodeId), 'meta.properties'));
    const match = /^cluster\.id=(.+)$/m.exec(text ?? '');
    if (match !== null) return (match[1] as string).trim();
  }
  return null;
}

function leaderless([partition, replicas]: [number, NodeId[]]): PartitionStatus {
  return {
    partition,
    leader: -1,
    leaderEpoch: -1,
    replicas,
    inSync: [],
    logStartOffset: -1,
    highWatermark: -1,
    logEndOffset: -1,
  };
}

/** Kafka's format: `version: 0`, `topic_id: …`, a line each. */
function topicIdOf(folder: string): string | null {
  const text = readOptional(join(folder, 'partition.metadata'));
  return /^topic_id:\s*(\S+)$/m.exec(text ?? '')?.[1] ?? null;
}

function listFolders(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function readOptional(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
