/**
 * A consumer group under random members, time, quorums and coordinators, watched by a witness of
 * the invariants G1 to G4 and G6. The model test and the fuzzer play it.
 */
import * as assert from 'uvu/assert';
import fc from 'fast-check';
import { GroupBench } from './group-bench.js';
import { PARTITIONS, SimulatedMember, Witness } from './simulated-member.js';

const MEMBERS_MAX = 5;

/** Small steps, so that every boundary is crossed and snapshots run all the time. */
const KNOBS = {
  appendRecordsMax: 2,
  loadStepBytes: 200,
  loadStepGroups: 1,
  snapshotRecordsMin: 6,
  snapshotLiveRatio: 1,
};

type Action =
  | {
      readonly kind: 'step' | 'commit' | 'leave' | 'die' | 'start' | 'restart';
      readonly member: number;
    }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'quorum' | 'wait' | 'check' }
  | { readonly kind: 'failover'; readonly keeps: boolean };

const member = fc.nat({ max: MEMBERS_MAX - 1 });
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 20, arbitrary: fc.record({ kind: fc.constant('step' as const), member }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('commit' as const), member }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('start' as const), member }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave' as const), member }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('die' as const), member }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const), member }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      ms: fc.constantFrom(500, 3_000, 12_000),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom('quorum' as const, 'wait' as const) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('check' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('failover' as const), keeps: fc.boolean() }),
  },
);

class Run {
  readonly bench = new GroupBench(KNOBS);
  readonly witness = new Witness();
  readonly members = new Map<number, SimulatedMember>();

  constructor() {
    this.bench.onJoined = (response) => this.witness.sawJoin(response);
  }

  /** Odd members are static, every third one speaks the old join without a known id. */
  start(i: number): void {
    this.members.set(
      i,
      new SimulatedMember(this.bench, this.witness, {
        instanceId: i % 2 === 1 ? `static${i}` : null,
        requireKnownMemberId: i % 2 === 0 && i % 3 !== 0,
        sessionMs: 10_000,
        rebalanceMs: 15_000,
        protocols: [['range', `topics of ${i}`]],
        canSkip: i !== 1,
      }),
    );
  }

  do(action: Action): void {
    const { bench, members } = this;
    switch (action.kind) {
      case 'step':
        members.get(action.member)?.step();
        break;
      case 'commit':
        members.get(action.member)?.commit();
        break;
      case 'start':
        if (!members.has(action.member)) this.start(action.member);
        break;
      case 'restart':
        if (members.has(action.member)) this.start(action.member);
        break;
      case 'leave':
        members.get(action.member)?.leave();
        members.delete(action.member);
        break;
      case 'die':
        members.delete(action.member);
        break;
      case 'pass':
        bench.pass(action.ms);
        break;
      case 'quorum':
        bench.partition.commit();
        bench.partition.isInstant = true;
        break;
      case 'wait':
        bench.partition.isInstant = false;
        break;
      case 'check':
        this.checkOffset();
        break;
      case 'failover':
        for (const m of members.values()) m.connectionLost();
        bench.failover(action.keeps);
        this.checkOffset();
    }
  }

  /** G4: a register. Values rise with time, so nothing below the last acknowledged may be read. */
  checkOffset(): void {
    const value = this.bench.committed();
    assert.type(value, 'number');
    assert.ok(
      (value as number) >= this.witness.lastAcked,
      `G4: ${value} < ${this.witness.lastAcked}`,
    );
    assert.ok((value as number) < this.witness.nextValue, 'never invented');
  }

  /** Faults are over: within a bounded time everybody has its part, and all parts have an owner. */
  heal(): void {
    this.do({ kind: 'quorum' });
    if (this.members.size === 0) this.start(0);
    for (let i = 0; i < 200; i++) {
      for (const m of this.members.values()) m.step();
      if (this.isBalanced()) break;
      this.bench.pass(500);
    }
    assert.ok(this.isBalanced(), 'the group is whole again');
    for (const m of this.members.values()) m.commit();
    this.checkOffset();
    this.bench.failover();
    this.checkOffset();
    assert.is(this.bench.state(), 'Stable');
    for (const m of this.members.values()) m.step();
    assert.ok(this.isBalanced(), 'a failover moves nothing');
  }

  isBalanced(): boolean {
    const all = [...this.members.values()];
    const owned = all.flatMap((m) => m.partitions ?? []);
    const generations = new Set(all.map((m) => m.generation));
    return (
      this.bench.state() === 'Stable' &&
      generations.size === 1 &&
      all.every((m) => m.partitions !== null) &&
      owned.length === PARTITIONS &&
      new Set(owned).size === PARTITIONS
    );
  }
}

export const groupActions: fc.Arbitrary<readonly Action[]> = fc.array(action, {
  maxLength: 150,
  size: 'max',
});

/** Plays the actions, heals, and says how much happened. Throws when an invariant breaks. */
export function playGroup(actions: readonly Action[]): { snapshots: number; generations: number } {
  const run = new Run();
  run.start(0);
  run.start(1);
  for (const step of actions) run.do(step);
  run.heal();
  const { proposals } = run.bench.partition;
  return { snapshots: proposals.length, generations: run.witness.generation };
}
