/**
 * `meta.properties`: whose directory this is, in Kafka's form and names. A directory belongs to one
 * cluster, one node and one directory id for ever; any doubt stops the start and names both sides.
 *
 *     version=1                      Kafka's version of this file
 *     cluster.id=<22 characters>     absent until the first leader has named the cluster
 *     node.id=1
 *     directory.id=<22 characters>
 *     lograft.format=1               version of everything else in the directory
 */
import { LograftError } from '../base/errors.js';
import type { DirectoryId, NodeId } from '../base/units.js';
import { readWhole, writeAtomically } from '../base/small-file.js';
import { isUuidText } from '../base/uuid.js';
import type { ControlDisk } from './ports.js';

export const META_PROPERTIES = 'meta.properties';

export type MetaProperties = {
  readonly nodeId: NodeId;
  readonly directoryId: DirectoryId;
  /** Null in a directory that never heard from its cluster. */
  readonly clusterId: string | null;
};

const KAFKA_VERSION = '1';
const FORMAT_VERSION = 1;

/** Null when the directory has none: it is new. */
export function readMetaProperties(disk: ControlDisk, directory: string): MetaProperties | null {
  const path = `${directory}/${META_PROPERTIES}`;
  if (disk.fileSize(path) < 0) return null;
  const values = parse(readWhole(disk, path).toString('utf8'), path);
  checkVersions(values, path);
  const nodeId = Number(values.get('node.id') ?? Number.NaN);
  if (!Number.isSafeInteger(nodeId)) throw damaged(path, 'node.id is missing or not a number');
  const clusterId = values.get('cluster.id') ?? null;
  if (clusterId !== null && !isUuidText(clusterId)) throw damaged(path, 'cluster.id is not an id');
  return {
    nodeId,
    directoryId: mustUuid(values.get('directory.id'), path),
    clusterId,
  };
}

/** Durable when it returns. */
export function writeMetaProperties(
  disk: ControlDisk,
  directory: string,
  meta: MetaProperties,
): void {
  const lines = [`version=${KAFKA_VERSION}`];
  if (meta.clusterId !== null) lines.push(`cluster.id=${meta.clusterId}`);
  lines.push(`node.id=${meta.nodeId}`, `directory.id=${meta.directoryId}`);
  lines.push(`lograft.format=${FORMAT_VERSION}`);
  writeAtomically(disk, directory, META_PROPERTIES, Buffer.from(`${lines.join('\n')}\n`));
}

export type DirectoryExpectation = {
  readonly directory: string;
  readonly nodeId: NodeId;
  /** The directory holds logs already (the metadata log or partitions). */
  readonly hasData: boolean;
  /** Cluster id that the operator or a peer states; null when nobody does. */
  readonly clusterId: string | null;
};

/** @throws LograftError DIRECTORY_FOREIGN when the directory is not what this node may use */
export function checkDirectory(meta: MetaProperties | null, expected: DirectoryExpectation): void {
  const { directory, nodeId, hasData, clusterId } = expected;
  if (meta === null) {
    if (!hasData) return;
    throw foreign(
      `${directory} holds data but no ${META_PROPERTIES}, so it is unknown whose they are`,
      `restore ${META_PROPERTIES}, or start with an empty data directory`,
    );
  }
  if (meta.nodeId !== nodeId) {
    throw foreign(
      `${directory} belongs to node ${meta.nodeId}, not to node ${nodeId}`,
      `start it with --id ${meta.nodeId}, or give node ${nodeId} another data directory`,
    );
  }
  if (meta.clusterId === null && hasData && clusterId !== null) {
    throw foreign(
      `${directory} holds data of a cluster without an id, this cluster is ${clusterId}`,
      `restore cluster.id in ${META_PROPERTIES}, or start with an empty data directory`,
    );
  }
  if (meta.clusterId !== null && clusterId !== null && meta.clusterId !== clusterId) {
    throw foreign(
      `${directory} belongs to cluster ${meta.clusterId}, this cluster is ${clusterId}`,
      'give this cluster another data directory',
    );
  }
}

function parse(text: string, path: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    const at = trimmed.indexOf('=');
    if (at < 0) throw damaged(path, `"${trimmed.slice(0, 40)}" is not key=value`);
    values.set(trimmed.slice(0, at).trim(), trimmed.slice(at + 1).trim());
  }
  return values;
}

function checkVersions(values: ReadonlyMap<string, string>, path: string): void {
  const version = values.get('version');
  if (version !== KAFKA_VERSION) throw damaged(path, `version=${version ?? '(missing)'}`);
  const format = Number(values.get('lograft.format') ?? Number.NaN);
  if (!Number.isSafeInteger(format)) {
    throw foreign(
      `${path} has no lograft.format: another program wrote it`,
      'start with an empty data directory',
    );
  }
  if (format <= FORMAT_VERSION) return;
  throw new LograftError(
    'CORRUPT',
    `${path} states format ${format} (known: ${FORMAT_VERSION})`,
    'a newer lograft wrote it: start this node with that version or newer',
  );
}

function mustUuid(text: string | undefined, path: string): string {
  if (isUuidText(text)) return text;
  throw damaged(path, `"${text ?? ''}" is not a directory id`);
}

function damaged(path: string, what: string): LograftError {
  return new LograftError(
    'CORRUPT',
    `${path} cannot be used: ${what}`,
    'restore the file from a copy; its values are also in the log of earlier starts',
  );
}

function foreign(message: string, hint: string): LograftError {
  return new LograftError('DIRECTORY_FOREIGN', message, hint);
}
