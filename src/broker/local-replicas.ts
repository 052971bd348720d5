/**
 * The partition folders of one shard on the node's disk, and what may happen to them as a whole: a
 * committed deletion removes one, a folder that nobody knows is moved aside. Shard thread.
 *
 *     orders-0                                    open, or waiting for the image to name it
 *     orders-0.<topicId>-delete                   being removed; finished at the next start
 *     orders-0.<topicId>-stray                    aside; shown in status, never deleted by guess
 */
import { METADATA_GROUP } from '../base/group.js';
import { shardOf } from '../base/hash.js';
import type { LocalReplica } from '../control/reconcile.js';
import type { Disk } from '../log/disk.js';
import { readPartitionTopicId } from '../log/kafka-files.js';
import type { Logger } from '../observability/logger.js';

const FOLDER = /^(.+)-(\d+)$/;
const DELETED = /\.[A-Za-z0-9_-]{22}-delete$/;
const STRAY = /\.[A-Za-z0-9_-]{22}-stray$/;

export class LocalReplicas {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #logger: Logger;
  readonly #replicas = new Map<string, LocalReplica>();

  constructor(disk: Disk, directory: string, logger: Logger) {
    this.#disk = disk;
    this.#directory = directory;
    this.#logger = logger;
  }

  /** Finds the folders that belong to this shard; only the first shard clears up old deletions. */
  scan(index: number, shards: number): void {
    for (const name of this.#disk.list(this.#directory)) {
      const path = `${this.#directory}/${name}`;
      if (DELETED.test(name)) {
        if (index === 0) this.#disk.removeTree(path);
        continue;
      }
      const match = FOLDER.exec(name);
      if (match === null) continue;
      const topicId = readPartitionTopicId(this.#disk, path);
      const partition = Number(match[2]);
      // The metadata group's own folder belongs to the main thread.
      if (topicId === null || topicId === METADATA_GROUP.topicId) continue;
      if (shardOf(topicId, partition, shards) !== index) continue;
      this.add({ topicId, topic: match[1] as string, partition });
    }
  }

  get all(): readonly LocalReplica[] {
    return [...this.#replicas.values()];
  }

  has(replica: Pick<LocalReplica, 'topicId' | 'partition'>): boolean {
    return this.#replicas.has(keyOf(replica));
  }

  add(replica: LocalReplica): void {
    this.#replicas.set(keyOf(replica), replica);
  }

  /** Names of folders that were moved aside, of the whole node. */
  strays(): string[] {
    return this.#disk.list(this.#directory).filter((name) => STRAY.test(name));
  }

  /** After a committed deletion. The folder is renamed first, so that a crash leaves no half of it. */
  remove(replica: LocalReplica): void {
    const aside = this.#moveAside(replica, 'delete');
    this.#disk.removeTree(aside);
  }

  /** What the image does not know is kept for people to look at. */
  moveStray(replica: LocalReplica): void {
    const aside = this.#moveAside(replica, 'stray');
    this.#logger.warn({ ...replica, folder: aside }, 'folder of an unknown partition moved aside');
  }

  #moveAside(replica: LocalReplica, why: 'delete' | 'stray'): string {
    const { topic, partition, topicId } = replica;
    const from = `${this.#directory}/${topic}-${partition}`;
    const to = `${from}.${topicId}-${why}`;
    this.#disk.removeTree(to);
    this.#disk.rename(from, to);
    this.#disk.syncDirectory(this.#directory);
    this.#replicas.delete(keyOf(replica));
    return to;
  }
}

function keyOf({ topicId, partition }: Pick<LocalReplica, 'topicId' | 'partition'>): string {
  return `${topicId}:${partition}`;
}
