/** A client that hears of new leaders although nobody asks it. */
import type { KafkaClient } from '../../support/kafka-client.js';
import { sleep } from '../../support/wait-for.js';

const EVERY_MS = 500;

export async function keepRefreshing(
  client: KafkaClient,
  isOver: () => boolean,
  everyMs = EVERY_MS,
): Promise<void> {
  while (!isOver()) {
    await client.tryRefresh();
    await sleep(everyMs);
  }
}
