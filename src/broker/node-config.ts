/**
 * A cluster's configuration once it is decided: the part of one node, and the file by which
 * `lograft up` hands it to its nodes. Loads neither parser nor schema, which would cost every
 * broker thirty megabytes. Its one promise: the nodes of a local cluster run with one
 * configuration, the one that `up` checked, whatever happens to cluster.yml later.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LograftError } from '../base/errors.js';
import type { NodeId } from '../base/units.js';
import type { BrokerConfig, ClusterConfig } from './config.js';
import type { SettingName } from './settings.js';

export const DEFAULT_BASE_PORT = 9092;
const FORMAT_VERSION = 1;

/** The part of one node. Throws LograftError CONFIG_INVALID when the cluster has no such node. */
export function brokerConfig(cluster: ClusterConfig, nodeId: NodeId): BrokerConfig {
  const node = cluster.nodes.find((candidate) => candidate.id === nodeId);
  if (node === undefined) {
    const known = cluster.voters.join(', ');
    const message = `${cluster.configFile} has no node ${nodeId}; its nodes are ${known}`;
    throw new LograftError('CONFIG_INVALID', message);
  }
  return { nodeId, node, nodeDir: nodeDirectory(cluster.dataDir, nodeId), cluster };
}

export function nodeDirectory(dataDir: string, nodeId: NodeId): string {
  return join(dataDir, `node-${nodeId}`);
}

/** The cluster.yml that comes with the package. */
export function packagedConfigFile(): string {
  return fileURLToPath(new URL('../../cluster.yml', import.meta.url));
}

export function resolvedConfigFile(dataDir: string): string {
  return join(dataDir, 'config.json');
}

type Resolved = Omit<ClusterConfig, 'setNames'> & {
  readonly formatVersion: number;
  readonly setNames: readonly SettingName[];
};

/** Replaces DIR/config.json as a whole. */
export function writeResolvedConfig(cluster: ClusterConfig): void {
  const resolved: Resolved = {
    formatVersion: FORMAT_VERSION,
    ...cluster,
    setNames: [...cluster.setNames],
  };
  const path = resolvedConfigFile(cluster.dataDir);
  mkdirSync(cluster.dataDir, { recursive: true });
  writeFileSync(`${path}.tmp`, `${JSON.stringify(resolved, null, 2)}\n`);
  renameSync(`${path}.tmp`, path);
}

/** Throws LograftError CONFIG_INVALID when the file is not one of this version. */
export function readResolvedConfig(path: string): ClusterConfig {
  try {
    const { formatVersion, ...cluster } = JSON.parse(readFileSync(path, 'utf8')) as Resolved;
    if (formatVersion !== FORMAT_VERSION) throw new Error(`format version ${formatVersion}`);
    return { ...cluster, setNames: new Set(cluster.setNames) };
  } catch (cause) {
    const message = `cannot use ${path}: ${(cause as Error).message}`;
    throw new LograftError('CONFIG_INVALID', message, 'it is written by `lograft up`', { cause });
  }
}
