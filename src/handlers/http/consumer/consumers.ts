/**
 * The consumer instances of this node. They live here and nowhere else: the answer to their making
 * says where, and they end with their client's word, with this node, or when nobody has asked for
 * them for minutes.
 */
import { HTTP_CONSUMER_IDLE_MS, HTTP_CONSUMERS_MAX } from '../../../base/limits.js';
import type { HttpContext } from '../context.js';
import { Problem } from '../problem.js';
import { Consumer, type ConsumerOptions } from './consumer.js';

/** What is left of an instance's name is chosen here. */
export type NewConsumer = Omit<ConsumerOptions, 'instanceId'> & { readonly name: string | null };

/** What the end of this node may wait for coordinators. */
const CLOSE_MS_MAX = 2_000;

export class Consumers {
  readonly #context: HttpContext;
  readonly #consumers = new Map<string, Consumer>();
  readonly #idleMsMax: number;

  constructor(context: HttpContext, idleMsMax = HTTP_CONSUMER_IDLE_MS) {
    this.#context = context;
    this.#idleMsMax = idleMsMax;
  }

  get size(): number {
    return this.#consumers.size;
  }

  /** Throws Problem 409 and 503. */
  create({ name, ...options }: NewConsumer): Consumer {
    const { groupId } = options;
    const instanceId = name ?? `rest-consumer-${this.#context.nodeId}-${this.#context.newId()}`;
    const key = keyOf(groupId, instanceId);
    if (this.#consumers.has(key)) {
      const text = `group ${groupId} has a consumer ${instanceId} on this node already`;
      throw new Problem(409, 'CONSUMER_EXISTS', text);
    }
    if (this.#consumers.size >= HTTP_CONSUMERS_MAX) {
      const text = `this node has ${HTTP_CONSUMERS_MAX} consumers already: delete some`;
      throw new Problem(503, 'TOO_MANY_CONSUMERS', text);
    }
    const consumer = new Consumer(this.#context, { ...options, instanceId });
    this.#consumers.set(key, consumer);
    return consumer;
  }

  /** Throws Problem 404. */
  find(groupId: string, instanceId: string): Consumer {
    const consumer = this.#consumers.get(keyOf(groupId, instanceId));
    if (consumer !== undefined) return consumer;
    const text =
      `group ${groupId} has no consumer ${instanceId} on this node: it lives on the node that ` +
      'made it (its base_uri), and ends when nobody asks for it for five minutes';
    throw new Problem(404, 'UNKNOWN_CONSUMER', text);
  }

  /** Throws Problem 404. */
  async delete(groupId: string, instanceId: string): Promise<void> {
    const consumer = this.find(groupId, instanceId);
    this.#consumers.delete(keyOf(groupId, instanceId));
    await consumer.close(true);
  }

  /** Gives up instances that nobody asks for. */
  expire(): void {
    const nowMs = this.#context.clock.monotonicMs();
    for (const [key, consumer] of this.#consumers) {
      if (consumer.isBusy || nowMs - consumer.usedAtMs < this.#idleMsMax) continue;
      this.#consumers.delete(key);
      void consumer.close(false);
    }
  }

  /** Lets the groups know, unless nobody answers. */
  async close(): Promise<void> {
    const consumers = [...this.#consumers.values()];
    this.#consumers.clear();
    const closed = Promise.all(consumers.map((consumer) => consumer.close(false)));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, CLOSE_MS_MAX);
    });
    await Promise.race([closed, late]);
    clearTimeout(timer);
  }
}

function keyOf(groupId: string, instanceId: string): string {
  return JSON.stringify([groupId, instanceId]);
}
