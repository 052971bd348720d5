/** Whose directory this is: read, checked and, the first time, written. Main thread, at start. */
import { randomUuid } from '../base/uuid.js';
import {
  checkDirectory,
  type MetaProperties,
  readMetaProperties,
  writeMetaProperties,
} from '../control/meta-properties.js';
import type { Disk } from '../log/disk.js';
import type { BrokerConfig } from './config.js';

/** Names in a node's directory that a process makes before it has an identity. */
const NO_DATA = /^(\.|lograft\.log$)/;

/** @throws LograftError DIRECTORY_FOREIGN when the directory is not this node's */
export function takeIdentity(disk: Disk, { nodeId, nodeDir }: BrokerConfig): MetaProperties {
  const known = readMetaProperties(disk, nodeDir);
  const hasData = disk.list(nodeDir).some((name) => !NO_DATA.test(name));
  checkDirectory(known, { directory: nodeDir, nodeId, hasData, clusterId: null });
  if (known !== null) return known;
  const fresh: MetaProperties = { nodeId, directoryId: randomUuid(), clusterId: null };
  writeMetaProperties(disk, nodeDir, fresh);
  return fresh;
}

/** The cluster has an id: from now on this directory belongs to it. */
export function joinCluster(
  disk: Disk,
  { nodeDir }: BrokerConfig,
  meta: MetaProperties,
  clusterId: string,
): MetaProperties {
  const joined = { ...meta, clusterId };
  writeMetaProperties(disk, nodeDir, joined);
  return joined;
}
