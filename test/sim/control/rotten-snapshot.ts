/**
 * Which metadata snapshot of a disk may rot: the newest, as long as the one before it and the log
 * from there on can stand in for it.
 */
import { METADATA_GROUP, METADATA_TOPIC } from '#src/base/group.js';
import { snapshotNames, snapshotOffset } from '#src/control/snapshot-file.js';
import { segmentOffsets } from '#src/log/names.js';
import type { MemoryDisk } from '../../log/memory-disk.js';
import { DIRECTORY } from './control-process.js';

export function rottenSnapshot(disk: MemoryDisk): string | null {
  const folder = `${DIRECTORY}/${METADATA_TOPIC}-${METADATA_GROUP.partition}`;
  const listing = disk.list(folder);
  const [newest, older] = snapshotNames(listing);
  const [logStart] = segmentOffsets(listing);
  if (newest === undefined || older === undefined || logStart === undefined) return null;
  return logStart <= snapshotOffset(older) ? `${folder}/${newest}` : null;
}
