/**
 * Which topics have metrics of their own: the first ones up to metrics.topics.max, each until it is
 * deleted. Promise: a topic that was counted with the others stays with them, so that their sum
 * never goes back. Main thread.
 */
import type { TopicId } from '../../base/units.js';
import type { ClusterImage } from '../../control/image.js';

/** Label of all topics beyond the bound. */
export const OTHER_TOPICS = 'other';

export class TopicNames {
  readonly #topicsMax: number;
  readonly #own = new Map<TopicId, string>();
  readonly #others = new Set<TopicId>();

  constructor(topicsMax: number) {
    this.#topicsMax = topicsMax;
  }

  /** `counted` topics come first: a thread keeps cells for them. */
  follow({ topicsById }: ClusterImage, counted: Iterable<TopicId>): void {
    for (const topicId of this.#own.keys()) {
      if (!topicsById.has(topicId)) this.#own.delete(topicId);
    }
    for (const topicId of this.#others) {
      if (!topicsById.has(topicId)) this.#others.delete(topicId);
    }
    for (const topicId of counted) this.#admit(topicId, topicsById.get(topicId)?.name);
    for (const { topicId, name } of topicsById.values()) this.#admit(topicId, name);
  }

  /** Null: counted with the others, or unknown. */
  of(topicId: TopicId): string | null {
    return this.#own.get(topicId) ?? null;
  }

  get leftOut(): number {
    return this.#others.size;
  }

  #admit(topicId: TopicId, name: string | undefined): void {
    if (name === undefined || this.#own.has(topicId) || this.#others.has(topicId)) return;
    if (this.#own.size < this.#topicsMax) this.#own.set(topicId, name);
    else this.#others.add(topicId);
  }
}
