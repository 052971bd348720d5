/**
 * What a seed means: the cluster, its knobs, every fault and every operation of the clients with
 * its time, as data made before the run. A failing plan can be looked at, made smaller by leaving
 * things out, and run again.
 */
import { Prng } from '#src/base/prng.js';
import { DEFAULT_RAFT_KNOBS, type RaftKnobs } from '#src/raft/raft-config.js';
import {
  type CoordinatorPlan,
  makeCoordinator,
  makeMemberOperations,
} from './groups/group-plan.js';
import { isFramed, type NetworkKnobs } from './network.js';
import { TURN_MS } from './node-turns.js';
import {
  type TimedFault,
  makeFaults,
  makeOvertakings,
  makeSlowWrites,
  mergeFaults,
} from './plan-faults.js';
import { type TimedOperation, makeOperations } from './plan-load.js';

/**
 * sparse: minutes of quiet, rare load, rare faults. busy: load all the time. harsh: little load and
 * one fault upon the other, so that rare orders of events are not hidden by batching.
 */
export type Profile = 'sparse' | 'busy' | 'harsh';
export const PROFILES: readonly Profile[] = ['sparse', 'busy', 'harsh'];

export type LogKnobs = {
  readonly durability: 'synced' | 'cached';
  readonly segmentBytes: number;
  readonly indexIntervalBytes: number;
  readonly retentionBytes: number;
  readonly retentionMs: number;
  readonly retentionCheckMs: number;
  readonly walBytes: number;
  readonly scrubIntervalMs: number;
};

const REQUEST_MS = [400, 3_000];
const TIMEOUT_MS = [150, 1_000, 10_000];

type Patience = Pick<ClientKnobs, 'requestMs' | 'timeoutMs'>;

export type ClientKnobs = {
  readonly producers: number;
  readonly inFlightMax: number;
  readonly delayMsMax: number;
  /** Part of the answers that get lost with their connection. */
  readonly answerLoss: number;
  /** The client gives up on a connection after this long. */
  readonly requestMs: number;
  /** The broker answers TIMED_OUT after this long. */
  readonly timeoutMs: number;
  readonly retryMs: number;
  /** Each failure doubles the pause up to this much. */
  readonly retryMsMax: number;
  /** Each producer's own, so that one waits where others have gone on; null: all have the same. */
  readonly patience: readonly Patience[] | null;
};

export type Plan = {
  readonly seed: number;
  readonly profile: Profile;
  readonly nodes: number;
  readonly groups: number;
  readonly raft: RaftKnobs;
  readonly log: LogKnobs;
  readonly network: NetworkKnobs;
  readonly clients: ClientKnobs;
  /** Null: no consumer groups. */
  readonly coordinator: CoordinatorPlan | null;
  readonly syncMsMin: number;
  readonly syncMsMax: number;
  /** Events that come within so long may share a turn of a node's loop; 0: none does. */
  readonly turnMsMax: number;
  /** After the faults only a majority is healed at first. */
  readonly isMajorityHealed: boolean;
  readonly faultsUntilMs: number;
  readonly faults: readonly TimedFault[];
  readonly operations: readonly TimedOperation[];
};

export function makePlan(seed: number, wanted?: Profile): Plan {
  const random = new Prng(seed);
  const drawn = drawProfile(random);
  const profile = wanted ?? drawn;
  const nodes = random.chance(0.75) ? 3 : 5;
  const groups = profile !== 'sparse' && random.chance(0.25) ? 2 : 1;
  const log = makeLog(random, profile);
  const faultsUntilMs = durationOf(random, profile);
  const producers = random.int(1, 4);
  const shape = { nodes, groups, profile, faultsUntilMs, producers };
  // A stream of its own: what else a seed means does not depend on its groups.
  const ofGroups = new Prng(seed ^ 0x6709);
  const coordinator = makeCoordinator(ofGroups, shape);
  const ofLog = { ...shape, durability: log.durability };
  const slowWrites = makeSlowWrites(new Prng(seed ^ 0x510e), ofLog);
  const led = coordinator === null ? groups : groups + 1;
  const overtakings = makeOvertakings(new Prng(seed ^ 0x0e47), ofLog, led);
  const plan: Plan = {
    seed,
    profile,
    nodes,
    groups,
    raft: makeKnobs(random, profile),
    log,
    network: { ...makeNetwork(random, profile), isFramed: isFramed(seed) },
    clients: {
      ...makeClients(random, profile, producers),
      patience: makePatience(new Prng(seed ^ 0xc11e), producers),
    },
    coordinator,
    syncMsMin: 0.1,
    syncMsMax: random.pick([1, 5, 30, 120]),
    turnMsMax: new Prng(seed ^ 0x7042).pick(TURN_MS),
    isMajorityHealed: log.durability === 'synced' && random.chance(0.5),
    faultsUntilMs,
    faults: mergeFaults(makeFaults(random.fork(), ofLog), slowWrites, overtakings),
    operations: makeOperations(random.fork(), shape),
  };
  return coordinator === null ? plan : withGroups(plan, coordinator, ofGroups);
}

/** In a busy plan they take the place of part of the load: an hour costs what it did. */
function withGroups(plan: Plan, coordinator: CoordinatorPlan, random: Prng): Plan {
  const isBusy = plan.profile === 'busy';
  const logs = plan.operations.filter((_, i) => !isBusy || i % 3 === 0);
  const members = makeMemberOperations(random, coordinator, plan);
  const operations = [...logs, ...members].sort((a, b) => a.atMs - b.atMs);
  return { ...plan, operations };
}

function drawProfile(random: Prng): Profile {
  const at = random.float();
  if (at < 0.04) return 'sparse';
  return at < 0.3 ? 'busy' : 'harsh';
}

function durationOf(random: Prng, profile: Profile): number {
  if (profile === 'sparse') return random.int(600_000, 2_400_000);
  return profile === 'busy' ? random.int(5_000, 20_000) : random.int(4_000, 16_000);
}

function makeKnobs(random: Prng, profile: Profile): RaftKnobs {
  const isFast = random.chance(0.5);
  const isTiny = random.chance(0.5);
  // In quiet hours heartbeats are nearly all there is: a slower pace makes an hour cheaper.
  const pace = profile === 'sparse' ? random.pick([2, 4, 8]) : 1;
  const ticksMin = isFast ? 5 : DEFAULT_RAFT_KNOBS.electionTicksMin;
  const ticksMax = isFast ? 10 : DEFAULT_RAFT_KNOBS.electionTicksMax;
  return {
    ...DEFAULT_RAFT_KNOBS,
    heartbeatTicks: 2 * pace,
    electionTicksMin: ticksMin * pace,
    electionTicksMax: ticksMax * pace,
    isEager: random.chance(0.5),
    inflightMessagesMax: random.pick([1, 2, 64]),
    // One batch a message: batching hides mistakes.
    appendBytesMax: isTiny ? 1 : DEFAULT_RAFT_KNOBS.appendBytesMax,
    isCommitAnnounced: random.chance(0.5),
  };
}

function makeLog(random: Prng, profile: Profile): LogKnobs {
  const segmentBytes = random.pick([1024, 1024, 4096, 1 << 20]);
  const isRetained = random.chance(0.3);
  return {
    durability: random.chance(0.88) ? 'synced' : 'cached',
    segmentBytes,
    indexIntervalBytes: random.pick([1, 64, 4096]),
    retentionBytes: isRetained ? segmentBytes * random.int(1, 6) : -1,
    retentionMs: isRetained && random.chance(0.3) ? 3_000 : -1,
    retentionCheckMs: random.pick([200, 1_500]),
    walBytes: random.pick([4096, 4096, 16_384, 131_072]),
    // Several passes fit into any plan.
    scrubIntervalMs: profile === 'sparse' ? 30_000 : 5_000,
  };
}

function makeNetwork(random: Prng, profile: Profile): Omit<NetworkKnobs, 'isFramed'> {
  const isLossy = random.chance(0.5);
  const isQuiet = profile === 'sparse';
  return {
    kind: isLossy ? 'datagrams' : 'links',
    delayMsMin: 0.05,
    delayMsMax: random.pick([0.5, 3, 20, 80]),
    loss: isLossy ? random.pick(isQuiet ? [0, 0.001, 0.02] : [0, 0.01, 0.1, 0.3]) : 0,
    repeat: isLossy ? random.pick([0, 0.05, 0.2]) : 0,
  };
}

function makePatience(random: Prng, producers: number): Patience[] | null {
  if (random.chance(0.5)) return null;
  return Array.from({ length: producers }, () => ({
    requestMs: random.pick(REQUEST_MS),
    timeoutMs: random.pick(TIMEOUT_MS),
  }));
}

function makeClients(
  random: Prng,
  profile: Profile,
  producers: number,
): Omit<ClientKnobs, 'patience'> {
  const knobs = {
    producers,
    inFlightMax: random.pick([1, 5, 5]),
    delayMsMax: random.pick([0.5, 5, 60]),
    answerLoss: random.pick([0, 0.02, 0.2]),
    requestMs: random.pick(REQUEST_MS),
    timeoutMs: random.pick(TIMEOUT_MS),
    retryMs: random.pick([20, 50, 150]),
  };
  // Where an outage lasts for minutes they wait longer and longer, as Kafka's clients do.
  return { ...knobs, retryMsMax: profile === 'sparse' ? 1_000 : knobs.retryMs };
}
