/**
 * The faults of a plan: kinds, targets and times, drawn from a seed. What would break the promise's
 * own terms is not drawn: no more than f disks lose what was synced (a wipe, a flipped bit).
 */
import type { Prng } from '#src/base/prng.js';
import type { Keep } from '../log/memory-disk.js';
import type { Profile } from './plan.js';

export type MessageKind = 'voted' | 'vote' | 'appended' | 'append';

/** The simulator of partitions has logs and indexes, that of the control plane has snapshots. */
export type RottenFile = 'log' | 'index' | 'snapshot';

export type Fault =
  | { readonly kind: 'kill'; readonly node: number; readonly downMs: number }
  | { readonly kind: 'restart-cleanly'; readonly node: number; readonly downMs: number }
  | { readonly kind: 'power'; readonly node: number; readonly keep: Keep; readonly downMs: number }
  | { readonly kind: 'kill-all'; readonly downMs: number }
  | { readonly kind: 'power-all'; readonly keep: Keep; readonly downMs: number }
  /** Armed: the power goes right after this node has sent such a message. */
  | {
      readonly kind: 'power-after';
      readonly node: number;
      readonly message: MessageKind;
      readonly keep: Keep;
      readonly downMs: number;
    }
  /** Armed: the process ends in the middle of a write, after so many others. */
  | {
      readonly kind: 'kill-in-write';
      readonly node: number;
      readonly writes: number;
      readonly downMs: number;
    }
  | { readonly kind: 'pause'; readonly node: number; readonly forMs: number }
  | { readonly kind: 'cut'; readonly from: number; readonly to: number; readonly forMs: number }
  | {
      readonly kind: 'cut-one-way';
      readonly from: number;
      readonly to: number;
      readonly forMs: number;
    }
  | { readonly kind: 'isolate'; readonly node: number; readonly forMs: number }
  /** Two halves that share one node. */
  | { readonly kind: 'bridge'; readonly node: number; readonly forMs: number }
  | { readonly kind: 'slow-net'; readonly factor: number; readonly forMs: number }
  | {
      readonly kind: 'slow-disk';
      readonly node: number;
      readonly factor: number;
      readonly forMs: number;
    }
  /** Writes take long, too, so that they move off the loop. */
  | {
      readonly kind: 'slow-writes';
      readonly node: number;
      readonly factor: number;
      readonly forMs: number;
    }
  | {
      readonly kind: 'slow-clock';
      readonly node: number;
      readonly rate: number;
      readonly forMs: number;
    }
  | { readonly kind: 'full-disk'; readonly node: number; readonly forMs: number }
  /** Syncs fail and their pages are lost; node 0: on all nodes. */
  | { readonly kind: 'failing-disk'; readonly node: number; readonly forMs: number }
  | {
      readonly kind: 'unreadable-disk';
      readonly node: number;
      readonly files: string;
      readonly forMs: number;
    }
  /** The node comes back with an empty disk and a new directory id. */
  | { readonly kind: 'wipe'; readonly node: number; readonly downMs: number }
  /** While the node is down a bit flips in a file of its log. */
  | {
      readonly kind: 'rot';
      readonly node: number;
      readonly isClean: boolean;
      readonly file: RottenFile;
      readonly downMs: number;
    }
  | { readonly kind: 'transfer' }
  /** A leader is cut off until another one has committed more than it has, or for so long. */
  | { readonly kind: 'overtake'; readonly group: number; readonly forMs: number };

export type TimedFault = { readonly atMs: number; readonly fault: Fault };

export type FaultShape = {
  readonly nodes: number;
  readonly profile: Profile;
  readonly durability: 'synced' | 'cached';
  readonly faultsUntilMs: number;
};

export function makeFaults(random: Prng, shape: FaultShape): TimedFault[] {
  const meanMs = shape.profile === 'sparse' ? random.int(20_000, 90_000) : random.int(150, 2_000);
  const maker = new FaultMaker(random, shape);
  return timed(random, shape, meanMs, () => maker.next());
}

/** Part of the plans in which disks also write slowly. */
const SLOW_WRITERS = 0.3;

/** Drawn apart from the others, so that what else a seed means does not depend on them. */
export function makeSlowWrites(random: Prng, shape: FaultShape): TimedFault[] {
  if (!random.chance(SLOW_WRITERS)) return [];
  return timed(random, shape, shape.profile === 'sparse' ? 60_000 : 1_500, () => {
    const node = random.int(1, shape.nodes + 1);
    const forMs = random.pick([50, 1_000, 4_000]);
    return { kind: 'slow-writes', node, factor: random.int(1, 60), forMs };
  });
}

/** Part of the plans in which leaders come back to others that went on without them. */
const OVERTAKEN = 0.3;
const OVERTAKE_MS_MAX = 3_000;

/** Drawn apart, as slow writes are. */
export function makeOvertakings(random: Prng, shape: FaultShape, groups: number): TimedFault[] {
  if (!random.chance(OVERTAKEN)) return [];
  return timed(random, shape, shape.profile === 'sparse' ? 120_000 : 3_000, () => {
    return { kind: 'overtake', group: random.int(0, groups), forMs: OVERTAKE_MS_MAX };
  });
}

/** Faults `meanMs` apart, until no more may happen. */
function timed(random: Prng, shape: FaultShape, meanMs: number, make: () => Fault): TimedFault[] {
  const faults: TimedFault[] = [];
  for (let atMs = 0; atMs < shape.faultsUntilMs; ) {
    atMs += random.int(1, 2 * meanMs);
    faults.push({ atMs, fault: make() });
  }
  return faults;
}

export function mergeFaults(...lists: readonly (readonly TimedFault[])[]): TimedFault[] {
  return lists.flat().sort((a, b) => a.atMs - b.atMs);
}

const SAFE_KINDS: readonly Fault['kind'][] = [
  'kill',
  'kill',
  'restart-cleanly',
  'kill-all',
  'kill-in-write',
  'pause',
  'cut',
  'cut-one-way',
  'isolate',
  'bridge',
  'slow-net',
  'slow-disk',
  'slow-clock',
  'full-disk',
  'unreadable-disk',
  'transfer',
];

/** Only a group that syncs before it promises survives these. */
const SYNCED_KINDS: readonly Fault['kind'][] = [
  'power',
  'power',
  'power-all',
  'power-all',
  'power-after',
  'power-after',
  'power-after',
  'failing-disk',
  'wipe',
  'rot',
  'rot',
];

class FaultMaker {
  readonly #random: Prng;
  readonly #shape: FaultShape;
  readonly #kinds: readonly Fault['kind'][];
  /** Nodes whose synced bytes may be lost: never more than f of them. */
  readonly #spoilt: readonly number[];
  readonly #wiped = new Set<number>();

  constructor(random: Prng, shape: FaultShape) {
    this.#random = random;
    this.#shape = shape;
    this.#kinds = shape.durability === 'synced' ? [...SAFE_KINDS, ...SYNCED_KINDS] : SAFE_KINDS;
    const first = random.int(0, shape.nodes);
    const count = Math.floor((shape.nodes - 1) / 2);
    this.#spoilt = Array.from({ length: count }, (_, i) => ((first + i) % shape.nodes) + 1);
  }

  next(): Fault {
    const random = this.#random;
    const { nodes } = this.#shape;
    const kind = random.pick(this.#kinds);
    const node = random.int(1, nodes + 1);
    const to = ((node - 1 + random.int(1, nodes)) % nodes) + 1;
    const downMs = random.pick([20, 200, 1_500]);
    const forMs = random.pick([50, 400, 2_500]);
    const keep: Keep = random.pick(['none', 'prefix', 'random']);
    switch (kind) {
      case 'kill':
      case 'restart-cleanly':
        return { kind, node, downMs };
      case 'kill-all':
        return { kind, downMs };
      case 'power':
        return { kind, node, keep, downMs };
      case 'power-all':
        return { kind, keep, downMs };
      case 'power-after': {
        const message = random.pick(['voted', 'vote', 'appended', 'append'] as const);
        return { kind, node, message, keep, downMs };
      }
      case 'kill-in-write':
        return { kind, node, writes: random.int(0, 12), downMs };
      case 'wipe':
        return this.#wipe(downMs);
      case 'rot':
        return this.#rot(downMs);
      case 'transfer':
        return { kind };
      case 'cut':
      case 'cut-one-way':
        return { kind, from: node, to, forMs };
      default:
        return this.#lasting(kind, node, forMs);
    }
  }

  #lasting(kind: Fault['kind'], node: number, forMs: number): Fault {
    const random = this.#random;
    switch (kind) {
      case 'slow-net':
        return { kind, factor: random.int(2, 30), forMs };
      case 'slow-disk':
        return { kind, node, factor: random.int(5, 100), forMs };
      case 'slow-clock':
        return { kind, node, rate: random.pick([0.3, 0.6, 1.5]), forMs: forMs * 2 };
      case 'failing-disk':
        return { kind, node: random.chance(0.4) ? 0 : node, forMs };
      case 'unreadable-disk':
        return { kind, node, files: random.pick(['.', '\\.log$', '\\.wal$']), forMs };
      case 'pause':
      case 'isolate':
      case 'bridge':
      case 'full-disk':
        return { kind, node, forMs };
      default:
        throw new Error(`a fault without a maker: ${kind}`);
    }
  }

  /** A wiped node never comes back as a voter: one is enough for a run. */
  #wipe(downMs: number): Fault {
    const node = this.#random.pick(this.#spoilt);
    if (this.#wiped.size > 0 && !this.#wiped.has(node)) return { kind: 'kill', node, downMs };
    this.#wiped.add(node);
    return { kind: 'wipe', node, downMs };
  }

  #rot(downMs: number): Fault {
    const random = this.#random;
    const node = random.pick(this.#spoilt);
    const file = random.chance(0.7) ? 'log' : 'index';
    return { kind: 'rot', node, isClean: random.chance(0.4), file, downMs };
  }
}
