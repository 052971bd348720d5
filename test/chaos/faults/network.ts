/**
 * Cuts between nodes; clients reach every node all the time, also one that has lost its peers, so
 * what it tells them is tried, too. A majority stays connected under each of them. The proof is
 * nftables' count of dropped packets.
 *
 *     cut       one node and all others, both directions
 *     oneway    one node is mute, or deaf, toward all others or toward one
 *     partial   one pair, both directions; the third sees both
 */
import type { Prng } from '#src/base/prng.js';
import type { TestCluster } from '../../support/cluster.js';
import {
  type Direction,
  type NodeNetwork,
  missingNetwork,
  networkOf,
} from '../../support/node-network.js';
import { sleep } from '../../support/wait-for.js';
import { type Fault, type FaultKind, pickNodes } from './fault.js';

/** The longest is longer than any time-out between nodes: links are given up and dialed again. */
const HOLD_MS = { short: 500, least: 1_500, most: 7_000, long: 12_000 } as const;

type NetworkFault = Fault & { readonly directions: readonly Direction[] };

type Cut = Pick<NetworkFault, 'nodes' | 'directions'> & { readonly detail?: string };

function networkKind(
  kind: string,
  planCut: (random: Prng, nodeIds: readonly number[]) => Cut,
): FaultKind<NetworkFault> {
  return {
    kind,
    availability: missingNetwork,
    prepareCluster: async (launch) => {
      await networkOf(launch);
    },
    plan: (random, nodeIds) => ({
      kind,
      ...planCut(random, nodeIds),
      holdMs: planHold(random),
      isMajorityLost: false,
    }),
    async apply(cluster, fault, onHit) {
      const network = await networkOfCluster(cluster);
      await network.drop(fault.directions);
      onHit();
      try {
        await sleep(fault.holdMs);
      } finally {
        await network.heal();
      }
    },
    proof: 'packets dropped between nodes',
    proofs: async (cluster) => (await networkOfCluster(cluster)).dropped(),
  };
}

function planHold(random: Prng): number {
  if (random.chance(0.25)) return random.int(100, HOLD_MS.short);
  if (random.chance(0.15)) return HOLD_MS.long;
  return random.int(HOLD_MS.least, HOLD_MS.most);
}

function networkOfCluster({ launch }: TestCluster): Promise<NodeNetwork> {
  if (launch === null) throw new Error('only a launched cluster has a network of its own');
  return networkOf(launch);
}

export const cut = networkKind('cut', (random, nodeIds) => {
  const [node] = pickNodes(random, nodeIds, 1) as [number];
  const directions = others(nodeIds, node).flatMap((peer) => bothWays(node, peer));
  return { nodes: [node], directions };
});

export const oneway = networkKind('oneway', (random, nodeIds) => {
  const [node] = pickNodes(random, nodeIds, 1) as [number];
  const isMute = random.chance(0.5);
  const all = others(nodeIds, node);
  const peers = random.chance(0.5) ? all : [random.pick(all)];
  const directions = peers.map((peer) =>
    isMute ? { from: node, to: peer } : { from: peer, to: node },
  );
  const detail = ` ${isMute ? 'mute' : 'deaf'} toward ${peers.join('+')}`;
  // Toward one peer, what that one leads is hit just as well.
  return { nodes: peers.length === 1 ? [node, ...peers] : [node], directions, detail };
});

export const partial = networkKind('partial', (random, nodeIds) => {
  const [a, b] = pickNodes(random, nodeIds, 2) as [number, number];
  return { nodes: [a, b], directions: bothWays(a, b) };
});

function bothWays(a: number, b: number): Direction[] {
  return [
    { from: a, to: b },
    { from: b, to: a },
  ];
}

function others(nodeIds: readonly number[], node: number): number[] {
  return nodeIds.filter((id) => id !== node);
}
