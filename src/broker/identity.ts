/** Whose directory this is: read, checked and, the first time, written. Main thread, at start. */
import { LograftError } from '../base/errors.js';
import { randomUuid } from '../base/uuid.js';
import {
  checkDirectory,
  type MetaProperties,
  readMetaProperties,
  writeMetaProperties,
} from '../control/meta-properties.js';
import type { Disk } from '../log/disk.js';
import type { BrokerConfig } from './config.js';

/** What lies in a node's directory before it has an identity: from a process, or a file system. */
const NO_DATA = /^(\.|lograft\.log$|lost\+found$)/;
/** Made together with an identity, before there is anything to remember. */
const NO_LOG = /^(meta\.properties|wal$)/;

/**
 * @throws LograftError DIRECTORY_FOREIGN when the directory is not this node's, CORRUPT when it has
 * lost its votes
 */
export function takeIdentity(disk: Disk, { nodeId, nodeDir }: BrokerConfig): MetaProperties {
  const known = readMetaProperties(disk, nodeDir);
  const data = disk.list(nodeDir).filter((name) => !NO_DATA.test(name));
  checkDirectory(known, { directory: nodeDir, nodeId, hasData: data.length > 0, clusterId: null });
  if (!data.includes('wal') && data.some((name) => !NO_LOG.test(name))) throw votesLost(nodeDir);
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

/** A node that forgot whom it voted for could vote twice in one term. */
function votesLost(nodeDir: string): LograftError {
  return new LograftError(
    'CORRUPT',
    `${nodeDir} holds logs but no wal, which keeps the node's votes`,
    'restore the whole directory, or start with an empty one',
  );
}
