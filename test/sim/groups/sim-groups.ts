/**
 * The consumer groups of a run: who sits where, what the plan makes them do, and what is demanded
 * of them when the faults are over. Dead members stay dead then, so their partitions must move.
 */
import { Prng } from '#src/base/prng.js';
import type { Plan } from '../plan.js';
import type { SimNode } from '../sim-node.js';
import type { World } from '../world.js';
import { Violation } from '../world.js';
import { GroupClient } from './group-client.js';
import { GroupJudge } from './group-judge.js';
import type { CoordinatorPlan, MemberOperation, MemberPlan } from './group-plan.js';
import { InternalBatches } from './internal-batches.js';
import { Member } from './member.js';
import { Observer } from './observer.js';

export type SimGroupsOptions = {
  readonly plan: Plan;
  readonly coordinator: CoordinatorPlan;
  readonly world: World;
  /** The node that seems to lead the coordinators' partition. */
  readonly find: () => SimNode;
  /** All nodes that say to lead it. */
  readonly claimants: () => readonly SimNode[];
};

type Seat = {
  readonly index: number;
  readonly plan: MemberPlan;
  readonly client: GroupClient;
  readonly random: Prng;
  /** Null while nobody sits here. */
  life: Member | null;
  /** Lives whose place another one took while they went on. */
  readonly outlived: Member[];
};

/** Everybody has a stable generation this long after a majority is connected, at the latest. */
const PROGRESS_MS = 10_000;
const AGAIN_MS = 100;

export class SimGroups {
  readonly judge: GroupJudge;
  readonly batches: InternalBatches;
  readonly observer: Observer;
  readonly #o: SimGroupsOptions;
  readonly #seats: readonly Seat[];
  #isHealed = false;
  #isOver = false;

  constructor(options: SimGroupsOptions) {
    const { plan, coordinator, world, find, claimants } = options;
    this.#o = options;
    this.judge = new GroupJudge(world);
    this.batches = new InternalBatches(plan.groups);
    const random = new Prng(plan.seed ^ 0x3e3b);
    const { partitions } = coordinator;
    const groupIds = Array.from({ length: coordinator.groups }, (_, i) => groupIdOf(i));
    const ofObserver = random.fork();
    const onOverlap = (): void => {
      for (const { life } of this.#seats) life?.commit(1);
    };
    const asked = { world, random: ofObserver, groupIds, partitions, claimants, onOverlap };
    this.observer = new Observer(asked);
    this.#seats = coordinator.members.map((member, index) => {
      const ofClient = random.fork();
      const client = new GroupClient({ world, random: ofClient, knobs: plan.clients, find });
      return { index, plan: member, client, random: random.fork(), life: null, outlived: [] };
    });
  }

  start(): void {
    for (const seat of this.#seats) this.#sitDown(seat);
  }

  operate({ member, action }: MemberOperation): void {
    const seat = this.#seats[member];
    const life = seat?.life;
    if (seat === undefined || life == null || this.#isHealed) return;
    switch (action.kind) {
      case 'commit':
        return life.commit(action.records);
      case 'fetch':
        this.observer.look();
        return life.fetch();
      case 'commit-late':
      case 'resubscribe':
        return action.kind === 'resubscribe' ? life.resubscribe() : life.commitLate();
      case 'crash':
      case 'leave':
        life[action.kind]();
        seat.life = null;
        this.#o.world.fault(`member-${action.kind}`);
        return this.#sitDownLater(seat, action.downMs);
      case 'pause':
        life.pause();
        this.#o.world.fault('member-pause');
        this.#o.world.after(action.forMs, () => life.resume());
        return;
      case 'double':
        // The one before goes on as long as nobody tells it that it is fenced.
        this.#o.world.fault('member-double');
        seat.outlived.push(life);
        return this.#sitDown(seat);
    }
  }

  /**
   * After the heal: every partition has a living owner and a commit is acknowledged, in bounded
   * time. False when the coordinators' partition cannot have a leader.
   */
  demandProgress(mayHaveNone: () => boolean, describe: () => string): boolean {
    const { world, coordinator } = this.#o;
    this.#heal();
    const groups = Array.from({ length: coordinator.groups }, (_, group) => group);
    for (const group of groups) {
      const isDone = (): boolean => this.#isWhole(group);
      world.runUntil(world.nowMs + this.#boundMs(group), isDone);
      if (isDone()) continue;
      if (mayHaveNone()) return false;
      throw new Violation(
        this.#isOwnedByDead(group) ? 'G6' : 'L1',
        `group ${group}: ${describe()}`,
      );
    }
    const { judge, observer } = this;
    const acked = judge.acked + groups.length;
    const hasCommitted = (): boolean => judge.acked >= acked;
    const commit = (): void => {
      for (const { life } of this.#seats) life?.commit(1);
    };
    if (!this.#repeat(commit, hasCommitted)) {
      if (mayHaveNone()) return false;
      throw new Violation('L1', `no offset is committed: ${describe()}`);
    }
    // What is committed now is read back, of all groups and partitions.
    const answered = observer.answered + groups.length;
    const hasRead = (): boolean => observer.answered >= answered;
    if (this.#repeat(() => observer.askAll(), hasRead)) return true;
    if (mayHaveNone()) return false;
    throw new Violation('L1', `no position is told: ${describe()}`);
  }

  /** False when it did not help in time. */
  #repeat(run: () => void, isDone: () => boolean): boolean {
    const { world } = this.#o;
    const again = (): void => {
      if (isDone() || this.#isOver) return;
      run();
      world.after(AGAIN_MS, again);
    };
    again();
    world.runUntil(world.nowMs + PROGRESS_MS, isDone);
    return isDone();
  }

  /** Nobody asks for anything any more. */
  end(): void {
    this.#isOver = true;
    for (const seat of this.#seats) {
      for (const life of seat.outlived) life.crash();
      seat.life?.crash();
      seat.life = null;
    }
  }

  #heal(): void {
    if (this.#isHealed) return;
    this.#isHealed = true;
    for (const seat of this.#seats) {
      seat.client.isCalm = true;
      for (const life of seat.outlived) life.crash();
      seat.life?.resume();
    }
    // Somebody is there to take over.
    for (let group = 0; group < this.#o.coordinator.groups; group++) {
      const seats = this.#seats.filter((seat) => seat.plan.group === group);
      const first = seats[0];
      if (first !== undefined && seats.every(({ life }) => life === null)) this.#sitDown(first);
    }
  }

  #boundMs(group: number): number {
    const { members, initialDelayMs } = this.#o.coordinator;
    const { sessionMs, rebalanceMs } = members.find((each) => each.group === group) as MemberPlan;
    // A dead member's session, the round that it holds up, and one more for who came too late.
    return PROGRESS_MS + sessionMs + 2 * (rebalanceMs + sessionMs) + 4 * initialDelayMs;
  }

  /** Every partition belongs to a living member of the newest generation, who knows where it is. */
  #isWhole(group: number): boolean {
    const newest = this.judge.generationOf(groupIdOf(group));
    let owned = 0;
    for (const { life, plan } of this.#seats) {
      if (plan.group !== group || life === null) continue;
      if (life.generation === newest) owned += life.ready.length;
    }
    return owned === this.#o.coordinator.partitions;
  }

  /** The newest generation is one of the dead: nobody who lives has heard of it. */
  #isOwnedByDead(group: number): boolean {
    const newest = this.judge.generationOf(groupIdOf(group));
    const living = this.#seats.filter(({ plan, life }) => plan.group === group && life !== null);
    return living.every(({ life }) => life?.generation !== newest);
  }

  #sitDownLater(seat: Seat, downMs: number): void {
    this.#o.world.after(downMs, () => {
      if (seat.life === null && !this.#isHealed) this.#sitDown(seat);
    });
  }

  #sitDown(seat: Seat): void {
    if (this.#isOver) return;
    const { world, coordinator, plan } = this.#o;
    const life = new Member({
      index: seat.index,
      plan: seat.plan,
      groupId: groupIdOf(seat.plan.group),
      partitions: coordinator.partitions,
      world,
      random: seat.random,
      client: seat.client,
      judge: this.judge,
      requestMs: plan.clients.requestMs,
      initialDelayMs: coordinator.initialDelayMs,
      retryMs: plan.clients.retryMs,
      onCommitted: () => this.observer.look(),
      onFenced: () => {
        // Its own earlier request came late and took its place: as an operator, start it again.
        if (seat.life !== life) return;
        seat.life = null;
        world.after(plan.clients.retryMs, () => {
          if (seat.life === null) this.#sitDown(seat);
        });
      },
    });
    seat.life = life;
    life.start();
  }
}

function groupIdOf(group: number): string {
  return `group-${group}`;
}
