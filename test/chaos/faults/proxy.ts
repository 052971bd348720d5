/**
 * What only something in between can do: hold every byte back for a while, and end a connection in
 * the middle of a frame. Proxies stand in front of every door: of the peer port once for each node
 * that dials it, and of the Kafka port for the clients. The proof is the proxies' own count.
 *
 *     delay      the links of one node, or of all
 *     midframe   connections to one node, peers' or clients', one after the other
 */
import type { Prng } from '#src/base/prng.js';
import type { TestCluster } from '../../support/cluster.js';
import type { ClusterLaunch } from '../../support/cluster-launch.js';
import { maybeNetworkOf } from '../../support/node-network.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { sleep } from '../../support/wait-for.js';
import { type Fault, type FaultKind, pickNodes, planHold } from './fault.js';

/** A proxy that `reader` (null: a client) finds in front of a door of `owner`. */
type Door = { readonly owner: number; readonly reader: number | null; readonly proxy: TcpProxy };

const opened = new WeakMap<ClusterLaunch, Promise<readonly Door[]>>();

function prepareDoors(launch: ClusterLaunch): Promise<readonly Door[]> {
  const found = opened.get(launch) ?? openDoors(launch);
  opened.set(launch, found);
  return found;
}

async function openDoors(launch: ClusterLaunch): Promise<readonly Door[]> {
  const network = await maybeNetworkOf(launch);
  const ownHost = network?.ownHost ?? '127.0.0.1';
  const doors: Door[] = [];
  launch.onRelease(() => {
    for (const { proxy } of doors) proxy.close();
  });
  for (const owner of launch.nodeIds) {
    const { host } = launch.node(owner);
    const client = await TcpProxy.open(ownHost, { host, port: launch.kafkaPort(owner) });
    launch.node(owner).advertised = { host: ownHost, port: client.port };
    doors.push({ owner, reader: null, proxy: client });
    for (const reader of launch.nodeIds) {
      if (reader === owner) continue;
      const proxy = await TcpProxy.open(ownHost, { host, port: launch.peerPort(owner) });
      launch.node(reader).peers.set(owner, { host: ownHost, port: proxy.port });
      network?.routeThrough(reader, owner, proxy.port);
      doors.push({ owner, reader, proxy });
    }
  }
  return doors;
}

async function doorsOf({ launch }: TestCluster): Promise<readonly Door[]> {
  const doors = launch === null ? undefined : await opened.get(launch);
  if (doors === undefined) throw new Error('this cluster was started without proxies');
  return doors;
}

function linksOf(doors: readonly Door[], nodes: readonly number[]): readonly Door[] {
  return doors.filter(
    ({ owner, reader }) => reader !== null && (nodes.includes(owner) || nodes.includes(reader)),
  );
}

type DelayFault = Fault & { readonly delayMs: number };

export const delay: FaultKind<DelayFault> = {
  kind: 'delay',
  availability: () => null,
  prepareCluster: async (launch) => {
    await prepareDoors(launch);
  },
  plan(random, nodeIds) {
    const isOne = random.chance(0.6);
    const nodes = isOne ? pickNodes(random, nodeIds, 1) : [...nodeIds];
    // One node may become useless, the others must go on; together they must be able to.
    const delayMs = isOne ? random.int(20, 1_500) : random.int(5, 120);
    const rest = { holdMs: planHold(random), isMajorityLost: false, detail: ` by ${delayMs} ms` };
    return { kind: 'delay', nodes, delayMs, ...rest };
  },
  async apply(cluster, fault, onHit) {
    const doors = linksOf(await doorsOf(cluster), fault.nodes);
    for (const { proxy } of doors) proxy.delayMs = fault.delayMs;
    onHit();
    await sleep(fault.holdMs);
    for (const { proxy } of doors) proxy.delayMs = 0;
  },
  proof: 'pieces held back by the proxies',
  proofs: async (cluster) => sum(await doorsOf(cluster), ({ delayed }) => delayed),
};

type CutOff = { readonly share: number; readonly isReset: boolean };
type MidFrameFault = Fault & { readonly isClients: boolean; readonly cuts: readonly CutOff[] };

/** Between two cuts, so that connections are made again and carry something. */
const CUT_EVERY_MS = { least: 20, most: 400 } as const;

export const midFrame: FaultKind<MidFrameFault> = {
  kind: 'midframe',
  availability: () => null,
  prepareCluster: async (launch) => {
    await prepareDoors(launch);
  },
  plan(random, nodeIds) {
    const nodes = pickNodes(random, nodeIds, 1);
    const isClients = random.chance(0.5);
    const cuts = Array.from({ length: random.int(1, 9) }, () => planCut(random));
    const holdMs = random.int(CUT_EVERY_MS.least, CUT_EVERY_MS.most) * cuts.length;
    const detail = ` ${cuts.length} times, ${isClients ? 'clients' : 'peers'}`;
    return { kind: 'midframe', nodes, holdMs, isMajorityLost: false, isClients, cuts, detail };
  },
  async apply(cluster, { cuts, holdMs, isClients, nodes }, onHit) {
    const all = await doorsOf(cluster);
    const doors = isClients
      ? all.filter(({ owner, reader }) => reader === null && nodes.includes(owner))
      : linksOf(all, nodes);
    for (const [index, cut] of cuts.entries()) {
      for (const { proxy } of doors) proxy.cutNextFrame(cut);
      if (index === 0) onHit();
      await sleep(holdMs / cuts.length);
    }
    // A door that nobody uses (the smaller id never dials) keeps its order for ever.
    for (const { proxy } of doors) proxy.cancelCut();
  },
  proof: 'connections cut inside a frame',
  proofs: async (cluster) => sum(await doorsOf(cluster), ({ cuts }) => cuts),
};

function planCut(random: Prng): CutOff {
  return { share: random.float(), isReset: random.chance(0.5) };
}

function sum(doors: readonly Door[], count: (proxy: TcpProxy) => number): number {
  return doors.reduce((total, { proxy }) => total + count(proxy), 0);
}
