/**
 * The consumer groups of a plan: how their coordinator is set, who their members are, and what
 * these do when. Pure data, drawn from a seed of its own, so that a plan without groups is what it
 * was.
 */
import type { Prng } from '#src/base/prng.js';
import type { CoordinatorKnobs } from '#src/groups/limits.js';
import type { Profile } from '../plan.js';

export type MemberPlan = {
  /** Of the plan's consumer groups. */
  readonly group: number;
  readonly isStatic: boolean;
  readonly sessionMs: number;
  readonly rebalanceMs: number;
  readonly heartbeatMs: number;
  /** As clients since KIP-394 do. */
  readonly requireKnownMemberId: boolean;
  /** As clients since KIP-814 do. */
  readonly canSkip: boolean;
};

export type CoordinatorPlan = {
  readonly groups: number;
  /** Of the topic that the groups read. */
  readonly partitions: number;
  readonly members: readonly MemberPlan[];
  readonly initialDelayMs: number;
  /** Other work of the node that comes between two steps of loading. */
  readonly loadStepMs: number;
  readonly knobs: Partial<CoordinatorKnobs>;
};

/** What a member does besides what it has to. */
export type MemberAction =
  /** It reads on in what it owns and commits how far it came. */
  | { readonly kind: 'commit'; readonly records: number }
  /** A thread of its that has not noticed the new generation commits in the one before. */
  | { readonly kind: 'commit-late' }
  /** It asks again for positions that it knows. */
  | { readonly kind: 'fetch' }
  /** Its process ends without a word and comes back. */
  | { readonly kind: 'crash'; readonly downMs: number }
  | { readonly kind: 'leave'; readonly downMs: number }
  /** Its process stands still, and then goes on as if nothing had happened. */
  | { readonly kind: 'pause'; readonly forMs: number }
  /** It is started a second time while the first one lives on. */
  | { readonly kind: 'double' }
  /** It reads other topics besides: a new round. */
  | { readonly kind: 'resubscribe' };

export type MemberOperation = {
  readonly kind: 'member';
  readonly member: number;
  readonly action: MemberAction;
};

export type GroupShape = { readonly profile: Profile; readonly faultsUntilMs: number };

/** One plan in so many has groups: they cost most where an hour is to be cheap. */
const GROUPS_EVERY: Readonly<Record<Profile, number>> = { sparse: 6, busy: 12, harsh: 3 };
const MEMBERS_MAX = 4;

/** Null when this plan has no groups. */
export function makeCoordinator(random: Prng, { profile }: GroupShape): CoordinatorPlan | null {
  if (!random.chance(1 / GROUPS_EVERY[profile])) return null;
  const isSparse = profile === 'sparse';
  const groups = !isSparse && random.chance(0.3) ? 2 : 1;
  const members: MemberPlan[] = [];
  for (let group = 0; group < groups; group++) {
    const timing = drawTiming(random, isSparse);
    for (let i = random.int(1, MEMBERS_MAX + 1); i > 0; i--) {
      members.push({
        group,
        ...timing,
        isStatic: random.chance(0.35),
        requireKnownMemberId: random.chance(0.7),
        canSkip: random.chance(0.5),
      });
    }
  }
  return {
    groups,
    partitions: random.int(1, 5),
    members,
    initialDelayMs: random.pick(isSparse ? [0, 3_000] : [0, 0, 200, 1_000]),
    loadStepMs: random.pick([0.1, 1, 5]),
    knobs: drawKnobs(random),
  };
}

/** Members of a group have the same settings, as those of one application do. */
function drawTiming(random: Prng, isSparse: boolean) {
  const sessionMs = random.pick(isSparse ? [10_000, 45_000] : [400, 1_000, 3_000]);
  const rebalanceMs = random.pick(isSparse ? [10_000, 60_000] : [400, 1_500, 4_000]);
  return { sessionMs, rebalanceMs, heartbeatMs: sessionMs / random.pick([3, 4]) };
}

/** Small steps cross every boundary: loads of many steps, snapshots all the time. */
function drawKnobs(random: Prng): Partial<CoordinatorKnobs> {
  if (random.chance(0.3)) return {};
  return {
    appendRecordsMax: random.pick([1, 2, 2_000]),
    loadStepBytes: random.pick([1, 200, 4_096]),
    loadStepGroups: 1,
    snapshotRecordsMin: random.pick([6, 40]),
    snapshotLiveRatio: random.pick([1, 4]),
  };
}

export function makeMemberOperations(
  random: Prng,
  { members }: CoordinatorPlan,
  { profile, faultsUntilMs }: GroupShape,
): { readonly atMs: number; readonly operation: MemberOperation }[] {
  const meanMs = meanMsOf(random, profile);
  const unrest = random.pick([0.02, 0.06, 0.2]);
  const operations: { atMs: number; operation: MemberOperation }[] = [];
  for (let atMs = 0; ; ) {
    atMs += random.float() * 2 * meanMs;
    if (atMs >= faultsUntilMs) return operations;
    const member = random.int(0, members.length);
    const action = random.chance(unrest) ? nextUnrest(random) : nextWork(random);
    operations.push({ atMs, operation: { kind: 'member', member, action } });
  }
}

/** In a busy plan the producers are busy; what members do takes most of an event's work. */
function meanMsOf(random: Prng, profile: Profile): number {
  if (profile === 'sparse') return random.int(5_000, 30_000);
  return profile === 'busy' ? random.int(80, 500) : random.int(20, 300);
}

function nextWork(random: Prng): MemberAction {
  const at = random.float();
  if (at < 0.75) return { kind: 'commit', records: random.int(1, 4) };
  return { kind: at < 0.8 ? 'commit-late' : 'fetch' };
}

function nextUnrest(random: Prng): MemberAction {
  const at = random.float();
  if (at < 0.3) return { kind: 'crash', downMs: random.pick([20, 500, 4_000]) };
  if (at < 0.5) return { kind: 'leave', downMs: random.pick([20, 500, 4_000]) };
  if (at < 0.8) return { kind: 'pause', forMs: random.pick([100, 1_000, 5_000]) };
  return { kind: at < 0.9 ? 'double' : 'resubscribe' };
}
