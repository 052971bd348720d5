/** Small builders shared by the control-plane tests. */
import { createHash } from 'node:crypto';
import { defaultSettings } from '#src/broker/settings.js';
import type { TopicDecisionContext } from '#src/control/decide-topics.js';
import { applyRecord, type ClusterImage, EMPTY_IMAGE } from '#src/control/image.js';
import { encodeImage } from '#src/control/image-codec.js';
import type { MetadataRecord } from '#src/control/records.js';

/** A stable 22-character id for a small number and a purpose. */
export function idOf(purpose: string, n: number): string {
  return `${purpose}${n}`.padEnd(22, '_').slice(0, 22);
}

export function directoryOf(nodeId: number): string {
  return idOf('dir', nodeId);
}

export function registerRecord(nodeId: number, rack: string | null = null): MetadataRecord {
  return {
    kind: 'register-broker',
    nodeId,
    directoryId: directoryOf(nodeId),
    incarnation: idOf('run', nodeId),
    kafka: { host: '127.0.0.1', port: 9091 + nodeId },
    peer: { host: '127.0.0.1', port: 9191 + nodeId },
    rack,
    shards: 1,
  };
}

export function unfenceRecord(nodeId: number): MetadataRecord {
  return { kind: 'unfence-broker', nodeId, incarnation: idOf('run', nodeId) };
}

/** An image with live brokers 1..n. */
export function imageWithBrokers(
  count: number,
  rackOf: (nodeId: number) => string | null = () => null,
): ClusterImage {
  let image = EMPTY_IMAGE;
  for (let nodeId = 1; nodeId <= count; nodeId++) {
    image = applyRecord(image, registerRecord(nodeId, rackOf(nodeId)));
    image = applyRecord(image, unfenceRecord(nodeId));
  }
  return image;
}

export function createRecord(
  name: string,
  topicId: string,
  partitions: number,
  nodeIds: readonly number[],
): MetadataRecord {
  return {
    kind: 'create-topic',
    name,
    topicId,
    configs: {},
    voters: nodeIds.map((nodeId) => ({ nodeId, directoryId: directoryOf(nodeId) })),
    partitions: Array.from({ length: partitions }, (_, i) =>
      nodeIds.map((_id, k) => (i + k) % nodeIds.length),
    ),
  };
}

export function decisionContext(): TopicDecisionContext {
  let next = 1;
  return {
    partitionsDefault: 6,
    replicationFactorDefault: 3,
    topicDefaults: { defaults: defaultSettings(), explicit: {} },
    newTopicId: () => idOf('topic', next++),
  };
}

/** Equal for equal images on every node (R5): SHA-256 of the canonical bytes, in hex. */
export function imageHash(image: ClusterImage): string {
  return createHash('sha256').update(encodeImage(image)).digest('hex');
}
