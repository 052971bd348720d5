/** A client of the cluster that the options name, for one command; it is closed when that ends. */
import { bootstrapOf, type WhereOptions } from './cluster/locate.js';
import { KafkaClient } from './kafka/client.js';

export async function withClient(
  options: WhereOptions,
  use: (client: KafkaClient) => Promise<number>,
): Promise<number> {
  const client = new KafkaClient({ bootstrap: await bootstrapOf(options) });
  try {
    return await use(client);
  } finally {
    client.close();
  }
}
