/**
 * What a seed means: the cluster, its knobs and every fault with its time, as data made before the
 * run. A failing seed can be looked at, shortened by hand and run again.
 */
import { Prng } from '#src/base/prng.js';
import { DEFAULT_RAFT_KNOBS, type RaftKnobs } from '#src/raft/raft-config.js';
import type { Keep } from '../log/memory-disk.js';
import type { NetworkKnobs } from './network.js';

export type Fault =
  | { readonly kind: 'kill' | 'restart-cleanly'; readonly node: number; readonly downMs: number }
  | { readonly kind: 'power'; readonly node: number; readonly keep: Keep; readonly downMs: number }
  | { readonly kind: 'kill-all'; readonly downMs: number }
  | { readonly kind: 'power-all'; readonly keep: Keep; readonly downMs: number }
  | { readonly kind: 'pause'; readonly node: number; readonly forMs: number }
  | {
      readonly kind: 'cut' | 'cut-one-way';
      readonly from: number;
      readonly to: number;
      readonly forMs: number;
    }
  | { readonly kind: 'isolate'; readonly node: number; readonly forMs: number }
  | { readonly kind: 'slow-net'; readonly factor: number; readonly forMs: number }
  | {
      readonly kind: 'slow-disk';
      readonly node: number;
      readonly factor: number;
      readonly forMs: number;
    }
  | { readonly kind: 'full-disk' | 'failing-disk'; readonly node: number; readonly forMs: number }
  | { readonly kind: 'transfer' }
  | { readonly kind: 'trim' }
  /** Armed: the power goes right after this node has sent such a message. */
  | {
      readonly kind: 'power-after';
      readonly node: number;
      readonly message: 'voted' | 'vote' | 'appended' | 'append';
      readonly keep: Keep;
      readonly downMs: number;
    };

export type TimedFault = { readonly atMs: number; readonly fault: Fault };

export type Profile = 'sparse' | 'busy';

export type Plan = {
  readonly seed: number;
  readonly nodes: number;
  readonly durability: 'synced' | 'cached';
  readonly raft: RaftKnobs;
  readonly segmentBytes: number;
  readonly walBytes: number;
  readonly network: NetworkKnobs;
  readonly syncMsMin: number;
  readonly syncMsMax: number;
  /** Mean time between two produce requests. */
  readonly produceMs: number;
  readonly recordsMax: number;
  readonly faultsUntilMs: number;
  readonly faults: readonly TimedFault[];
};

export function makePlan(seed: number): Plan {
  const random = new Prng(seed);
  const profile: Profile = random.chance(0.5) ? 'sparse' : 'busy';
  const nodes = random.chance(0.75) ? 3 : 5;
  const durability = random.chance(0.85) ? 'synced' : 'cached';
  const isFast = random.chance(0.5);
  const faultsUntilMs = random.int(4_000, 16_000);
  const meanMs = random.int(150, 2_000);
  const faults: TimedFault[] = [];
  for (let atMs = 0; atMs < faultsUntilMs; ) {
    atMs += random.int(1, 2 * meanMs);
    faults.push({ atMs, fault: makeFault(random, nodes, durability) });
  }
  return {
    seed,
    nodes,
    durability,
    raft: makeKnobs(random, isFast),
    segmentBytes: random.pick([1024, 4096, 1 << 20]),
    walBytes: random.pick([4096, 65_536, 1 << 20]),
    network: makeNetwork(random),
    syncMsMin: 0.1,
    syncMsMax: random.pick([1, 5, 30, 120]),
    produceMs: profile === 'sparse' ? random.int(100, 800) : random.int(3, 40),
    recordsMax: random.pick([1, 3]),
    faultsUntilMs,
    faults,
  };
}

function makeKnobs(random: Prng, isFast: boolean): RaftKnobs {
  const isTiny = random.chance(0.5);
  return {
    ...DEFAULT_RAFT_KNOBS,
    electionTicksMin: isFast ? 5 : DEFAULT_RAFT_KNOBS.electionTicksMin,
    electionTicksMax: isFast ? 10 : DEFAULT_RAFT_KNOBS.electionTicksMax,
    inflightMessagesMax: random.pick([1, 2, 64]),
    // One batch a message: batching hides mistakes.
    appendBytesMax: isTiny ? 1 : DEFAULT_RAFT_KNOBS.appendBytesMax,
    isCommitAnnounced: random.chance(0.5),
  };
}

function makeNetwork(random: Prng): NetworkKnobs {
  const isLossy = random.chance(0.5);
  return {
    kind: isLossy ? 'datagrams' : 'links',
    delayMsMin: 0.05,
    delayMsMax: random.pick([0.5, 3, 20, 80]),
    loss: isLossy ? random.pick([0, 0.01, 0.1, 0.3]) : 0,
    repeat: isLossy ? random.pick([0, 0.05, 0.2]) : 0,
  };
}

function makeFault(random: Prng, nodes: number, durability: Plan['durability']): Fault {
  const node = random.int(1, nodes + 1);
  const other = ((node - 1 + random.int(1, nodes)) % nodes) + 1;
  const downMs = random.pick([20, 200, 1_500]);
  const forMs = random.pick([50, 400, 2_500]);
  const keep: Keep = random.pick(['none', 'prefix', 'random']);
  const isSynced = durability === 'synced';
  switch (random.int(0, isSynced ? 15 : 11)) {
    case 0:
      return { kind: 'kill', node, downMs };
    case 1:
      return { kind: 'restart-cleanly', node, downMs };
    case 2:
      return { kind: 'kill-all', downMs };
    case 3:
      return { kind: 'pause', node, forMs };
    case 4:
      return { kind: 'cut', from: node, to: other, forMs };
    case 5:
      return { kind: 'cut-one-way', from: node, to: other, forMs };
    case 6:
      return { kind: 'isolate', node, forMs };
    case 7:
      return random.chance(0.5)
        ? { kind: 'slow-net', factor: random.int(2, 30), forMs }
        : { kind: 'slow-disk', node, factor: random.int(5, 100), forMs };
    case 8:
      return { kind: 'transfer' };
    case 9:
      return { kind: 'trim' };
    case 10: {
      // A failed sync loses pages: only a group that syncs before it promises survives that.
      const isFailing = isSynced && random.chance(0.4);
      return { kind: isFailing ? 'failing-disk' : 'full-disk', node, forMs };
    }
    case 11:
      return { kind: 'power', node, keep, downMs };
    case 12:
      return { kind: 'power-all', keep, downMs };
    default: {
      const message = random.pick(['voted', 'vote', 'appended', 'append'] as const);
      return { kind: 'power-after', node, message, keep, downMs };
    }
  }
}
