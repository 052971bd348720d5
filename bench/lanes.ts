/** Which connection loads which partitions. Pure. */
import type { Address } from './connection.js';
import type { Lane, ProduceLane } from './jobs.js';
import type { PartitionView } from './kafka-calls.js';

type Led = Pick<PartitionView, 'partition' | 'leader'>;

/** One connection to the leader of each partition. */
export function lanePerPartition(views: readonly Led[]): Lane[] {
  return views.map((view) => ({ partition: view.partition, address: leaderOf(view) }));
}

/** The same for a producer. */
export function producerPerPartition(views: readonly Led[]): ProduceLane[] {
  return lanePerPartition(views).map(({ address, partition }) => ({
    address,
    partitions: [partition],
  }));
}

/**
 * So many connections, dealt out over the brokers that lead something. Those of one broker share
 * its partitions: each has its own, or, where partitions are fewer, each writes to one of them.
 */
export function spreadLanes(views: readonly Led[], connections: number): ProduceLane[] {
  const brokers = groupByLeader(views);
  if (connections < brokers.length) throw new Error(`${connections} for ${brokers.length} brokers`);
  return Array.from({ length: connections }, (_, i) => {
    const { address, partitions } = brokers[i % brokers.length] as ProduceLane;
    const place = Math.floor(i / brokers.length);
    const places = Math.ceil((connections - (i % brokers.length)) / brokers.length);
    const own = partitions.filter((_, at) => at % places === place);
    const shared = partitions[place % partitions.length] as number;
    return { address, partitions: own.length > 0 ? own : [shared] };
  });
}

/** The partitions that each broker leads, in the order of their first. */
export function groupByLeader(views: readonly Led[]): ProduceLane[] {
  const groups = new Map<string, { address: Address; partitions: number[] }>();
  for (const view of views) {
    const address = leaderOf(view);
    const name = `${address.host}:${address.port}`;
    const group = groups.get(name) ?? { address, partitions: [] };
    groups.set(name, group);
    group.partitions.push(view.partition);
  }
  return [...groups.values()];
}

function leaderOf({ partition, leader }: Led): Address {
  if (leader === null) throw new Error(`partition ${partition} has no leader`);
  return leader;
}
