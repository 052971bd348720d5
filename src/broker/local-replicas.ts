/**
 * The partition folders of one shard on the node's disk, and what may happen to them as a whole: a
 * committed deletion removes one, a folder that nobody knows is moved aside. Promise: a folder is
 * only touched when it says itself that it belongs to the replica that is meant. Shard thread.
 *
 *     orders-0                          open, or waiting for the image to name it
 *     orders-0.<topicId>-delete         being removed; finished at the next start
 *     orders-0.<topicId>-stray          aside; shown in status, never deleted by guess
 */
import { METADATA_GROUP } from '../base/group.js';
import { shardOf } from '../base/hash.js';
import { isShortage } from '../base/shortage.js';
import type { TopicId } from '../base/units.js';
import type { LocalReplica } from '../control/reconcile.js';
import type { Disk } from '../log/disk.js';
import { folderOwner, moveAside } from '../log/recovery-state.js';
import type { Logger } from '../observability/logger.js';

const FOLDER = /^(.+)-(\d+)$/;
const DELETED = /\.[A-Za-z0-9_-]{22}-delete$/;
const STRAY = /-stray$/;

export class LocalReplicas {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #logger: Logger;
  /** By topic, then by partition. */
  readonly #byTopic = new Map<TopicId, Map<number, LocalReplica>>();
  /** As of the last look. */
  #strays: string[] = [];

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
      const topicId = this.#ownerOf(path);
      const partition = Number(match[2]);
      // The metadata group's own folder belongs to the main thread.
      if (topicId === null || topicId === METADATA_GROUP.topicId) continue;
      if (shardOf(topicId, partition, shards) !== index) continue;
      this.add({ topicId, topic: match[1] as string, partition });
    }
  }

  topicIds(): Iterable<TopicId> {
    return this.#byTopic.keys();
  }

  ofTopic(topicId: TopicId): readonly LocalReplica[] {
    return [...(this.#byTopic.get(topicId)?.values() ?? [])];
  }

  has({ topicId, partition }: Pick<LocalReplica, 'topicId' | 'partition'>): boolean {
    return this.#byTopic.get(topicId)?.has(partition) ?? false;
  }

  add(replica: LocalReplica): void {
    const { topicId, partition } = replica;
    const replicas = this.#byTopic.get(topicId) ?? new Map<number, LocalReplica>();
    this.#byTopic.set(topicId, replicas.set(partition, replica));
  }

  /** Names of folders that were moved aside, of the whole node. */
  strays(): string[] {
    try {
      this.#strays = this.#disk.list(this.#directory).filter((name) => STRAY.test(name));
    } catch (error) {
      if (!isShortage(error)) throw error;
    }
    return this.#strays;
  }

  /**
   * After a committed deletion. The folder is renamed first, so that a crash leaves no half of it.
   */
  remove(replica: LocalReplica): void {
    this.#forget(replica);
    const from = this.#folderOf(replica);
    if (this.#ownerOf(from) !== replica.topicId) return;
    const aside = `${from}.${replica.topicId}-delete`;
    this.#disk.removeTree(aside);
    this.#disk.rename(from, aside);
    this.#disk.syncDirectory(this.#directory);
    this.#disk.removeTree(aside);
  }

  /** What the image does not know is kept for people to look at. */
  moveStray(replica: LocalReplica): void {
    this.#forget(replica);
    const from = this.#folderOf(replica);
    if (this.#ownerOf(from) === replica.topicId) this.#moveAside(from);
  }

  /** Makes room for a replica whose folder is there, but belongs to somebody else or to nobody. */
  clearPlaceOf(replica: LocalReplica): void {
    const place = this.#folderOf(replica);
    if (this.#disk.exists(place)) this.#moveAside(place);
  }

  #moveAside(from: string): void {
    const to = moveAside(this.#disk, from);
    this.#logger.warn({ from, to }, 'folder of an unknown partition moved aside');
  }

  #ownerOf(path: string): TopicId | null {
    return folderOwner(this.#disk, path);
  }

  #folderOf({ topic, partition }: LocalReplica): string {
    return `${this.#directory}/${topic}-${partition}`;
  }

  #forget({ topicId, partition }: LocalReplica): void {
    const replicas = this.#byTopic.get(topicId);
    replicas?.delete(partition);
    if (replicas?.size === 0) this.#byTopic.delete(topicId);
  }
}
