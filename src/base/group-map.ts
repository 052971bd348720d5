/** A map by group, without a text made for each look: every message of every peer looks. */
import type { GroupKey } from './group.js';
import type { TopicId } from './units.js';

export class GroupMap<T> {
  readonly #topics = new Map<TopicId, Map<number, T>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get({ topicId, partition }: GroupKey): T | undefined {
    return this.#topics.get(topicId)?.get(partition);
  }

  has(group: GroupKey): boolean {
    return this.#topics.get(group.topicId)?.has(group.partition) ?? false;
  }

  set({ topicId, partition }: GroupKey, value: T): void {
    let partitions = this.#topics.get(topicId);
    if (partitions === undefined) {
      partitions = new Map();
      this.#topics.set(topicId, partitions);
    }
    if (!partitions.has(partition)) this.#size++;
    partitions.set(partition, value);
  }

  delete({ topicId, partition }: GroupKey): boolean {
    const partitions = this.#topics.get(topicId);
    if (partitions?.delete(partition) !== true) return false;
    this.#size--;
    if (partitions.size === 0) this.#topics.delete(topicId);
    return true;
  }

  clear(): void {
    this.#topics.clear();
    this.#size = 0;
  }

  /** Topic by topic. */
  *values(): Generator<T> {
    for (const partitions of this.#topics.values()) yield* partitions.values();
  }
}
