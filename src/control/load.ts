/**
 * How many partitions each broker leads (by preference) and holds: what placement evens out. Pure.
 */
import type { VoterId } from '../base/group.js';
import type { NodeId } from '../base/units.js';

export type BrokerLoad = { readonly leaders: number; readonly replicas: number };

/**
 * `loads` with these replica lists added (`sign` 1) or taken away (-1); brokers at zero leave it.
 */
export function withLoad(
  loads: ReadonlyMap<NodeId, BrokerLoad>,
  partitions: readonly (readonly VoterId[])[],
  sign: 1 | -1,
): Map<NodeId, BrokerLoad> {
  const next = new Map(loads);
  for (const replicas of partitions) {
    replicas.forEach(({ nodeId }, i) => {
      const load = next.get(nodeId) ?? { leaders: 0, replicas: 0 };
      next.set(nodeId, {
        leaders: load.leaders + (i === 0 ? sign : 0),
        replicas: load.replicas + sign,
      });
    });
  }
  for (const [nodeId, load] of next) if (load.replicas === 0) next.delete(nodeId);
  return next;
}
