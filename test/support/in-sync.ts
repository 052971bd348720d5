/** Waiting for a cluster whose replicas have all caught up, as its own status tells. */
import type { TestCluster } from './cluster.js';
import { waitFor } from './wait-for.js';

const IN_SYNC_MS = 60_000;

/** Waits until every replica of the topics is in sync; names those that are not. */
export async function waitInSync(
  cluster: TestCluster,
  topics: readonly string[] | 'all',
): Promise<void> {
  let behind: readonly string[] = [];
  const look = async (): Promise<boolean> => {
    const all = (await cluster.status()).topics;
    const ours = topics === 'all' ? all : all.filter(({ name }) => topics.includes(name));
    behind = ours.flatMap(({ name, partitions }) =>
      partitions
        .filter((p) => p.leader < 0 || p.inSync.length < p.replicas.length)
        .map((p) => `${name}:${p.partition} led by ${p.leader}, in sync ${p.inSync.join() || '-'}`),
    );
    return behind.length === 0 && (topics === 'all' || ours.length === topics.length);
  };
  try {
    await waitFor('every replica to be in sync', look, { timeoutMs: IN_SYNC_MS, everyMs: 200 });
  } catch (error) {
    throw new Error(`${(error as Error).message}; ${behind.join('; ')}`, { cause: error });
  }
}
