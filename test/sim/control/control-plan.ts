/**
 * What a seed means for the control plane: the cluster, its knobs, every fault and every request of
 * the admin clients with its time, as data made before the run, so that a failing plan shrinks.
 */
import { Prng } from '#src/base/prng.js';
import { DEFAULT_RAFT_KNOBS, type RaftKnobs } from '#src/raft/raft-config.js';
import { isFramed, type NetworkKnobs } from '../network.js';
import { TURN_MS } from '../node-turns.js';
import { type TimedFault, makeFaults, makeSlowWrites, mergeFaults } from '../plan-faults.js';
import { type TimedAdminOperation, makeAdminOperations } from './admin-load.js';

export type ControlKnobs = {
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  /** metadata.log.max.record.bytes.between.snapshots */
  readonly snapshotBytesMax: number;
  /** How long a word between two threads of a node takes at most. */
  readonly threadMsMax: number;
  /** The keeper of replicas lets the loop go round after each step. */
  readonly isKeeperSlow: boolean;
  /** Part of the control messages that a link over its bound does not take. */
  readonly refusal: number;
  readonly isBalanced: boolean;
  /** Threads for partitions, and the chance that a start comes with another number of them. */
  readonly shards: number;
  readonly reshape: number;
  readonly walBytes: number;
  /** A client waits for an answer this long. */
  readonly requestMs: number;
  readonly names: number;
};

export type ControlPlan = {
  readonly seed: number;
  readonly profile: 'control';
  readonly nodes: number;
  readonly raft: RaftKnobs;
  readonly network: NetworkKnobs;
  readonly control: ControlKnobs;
  readonly syncMsMin: number;
  readonly syncMsMax: number;
  /** See {@link TURN_MS}. */
  readonly turnMsMax: number;
  /** After the faults only a majority is healed at first. */
  readonly isMajorityHealed: boolean;
  readonly faultsUntilMs: number;
  readonly faults: readonly TimedFault[];
  readonly operations: readonly TimedAdminOperation[];
};

export function makeControlPlan(seed: number): ControlPlan {
  const random = new Prng(seed ^ 0xc0de);
  const nodes = random.chance(0.8) ? 3 : 5;
  const faultsUntilMs = random.int(6_000, 25_000);
  const control = makeControlKnobs(random);
  const shape = { nodes, faultsUntilMs, profile: 'harsh', durability: 'synced' } as const;
  const slowWrites = makeSlowWrites(new Prng(seed ^ 0x510e), shape);
  const { names } = control;
  return {
    seed,
    profile: 'control',
    nodes,
    raft: makeRaft(random),
    network: {
      // What the control plane says goes over connections: in order, or not at all.
      kind: 'links',
      delayMsMin: 0.05,
      delayMsMax: random.pick([0.5, 3, 20, 80]),
      loss: 0,
      repeat: 0,
      isFramed: isFramed(seed),
    },
    control,
    syncMsMin: 0.1,
    syncMsMax: random.pick([1, 5, 30, 120]),
    turnMsMax: new Prng(seed ^ 0x7042).pick(TURN_MS),
    isMajorityHealed: random.chance(0.4),
    faultsUntilMs,
    faults: mergeFaults(makeFaults(random.fork(), shape).map(forControl), slowWrites),
    operations: makeAdminOperations(random.fork(), { names, nodes, faultsUntilMs }),
  };
}

/** Of the metadata snapshots rot: what rotted in its log is an operator's to restore. */
function forControl(timed: TimedFault): TimedFault {
  const { atMs, fault } = timed;
  return fault.kind === 'rot' ? { atMs, fault: { ...fault, file: 'snapshot' } } : timed;
}

function makeRaft(random: Prng): RaftKnobs {
  const isFast = random.chance(0.5);
  return {
    ...DEFAULT_RAFT_KNOBS,
    heartbeatTicks: 2,
    electionTicksMin: isFast ? 5 : DEFAULT_RAFT_KNOBS.electionTicksMin,
    electionTicksMax: isFast ? 10 : DEFAULT_RAFT_KNOBS.electionTicksMax,
    isEager: random.chance(0.7),
    inflightMessagesMax: random.pick([1, 2, 64]),
    // One batch a message: batching hides mistakes.
    appendBytesMax: random.chance(0.5) ? 1 : DEFAULT_RAFT_KNOBS.appendBytesMax,
    isCommitAnnounced: random.chance(0.7),
  };
}

function makeControlKnobs(random: Prng): ControlKnobs {
  return {
    sessionTimeoutMs: random.pick([600, 1_500, 3_000]),
    heartbeatIntervalMs: random.pick([100, 300]),
    snapshotBytesMax: random.pick([1_024, 1_024, 4_096, 20 << 20]),
    threadMsMax: random.pick([0.1, 3, 40]),
    isKeeperSlow: random.chance(0.5),
    refusal: random.pick([0, 0, 0.05, 0.3]),
    isBalanced: random.chance(0.5),
    shards: random.pick([1, 2, 3]),
    reshape: random.pick([0, 0.3]),
    walBytes: random.pick([4_096, 16_384, 131_072]),
    requestMs: random.pick([300, 2_000, 8_000]),
    names: random.int(2, 7),
  };
}
