/**
 * One replica's Raft core against messages that no simulation sends: any type in any order, with
 * numbers that fit together or do not. A member that lies can break a promise, and then the group
 * stops with an InvariantError; it causes no other error. Who is no member moves nothing at all.
 */
import { InvariantError } from '#src/base/assert.js';
import type { VoterId } from '#src/base/group.js';
import { Prng } from '#src/base/prng.js';
import type { RaftMessage } from '#src/raft/messages.js';
import { DEFAULT_RAFT_KNOBS } from '#src/raft/raft-config.js';
import { RaftGroup } from '#src/raft/raft-group.js';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { FROM, raftMessages, TO } from '../../replication/raft-values.js';
import { target } from '../fuzz-target.js';
import { guarded } from '../guard.js';

const THIRD: VoterId = { nodeId: 3, directoryId: 'c' };
const STRANGER: VoterId = { nodeId: FROM.nodeId, directoryId: 'wiped' };
const SMALL = 6;
const MESSAGE_BYTES = 200;

/** Numbers become small ones, so that terms and positions of different messages meet. */
function reduced(value: unknown): unknown {
  if (typeof value === 'number') return value < 0 ? value : value % SMALL;
  if (Array.isArray(value)) return value.map(reduced);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, reduced(inner)]));
}

type Step =
  | { readonly kind: 'tick' | 'synced' | 'gap' | 'up' | 'down' }
  | { readonly kind: 'message'; readonly from: VoterId; readonly message: RaftMessage };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(raftMessages, fc.constantFrom(FROM, FROM, THIRD, STRANGER), fc.integer({ max: 8 }))
      .map(([message, from, kept]) => {
        const made = kept > 7 ? message : (reduced(message) as RaftMessage);
        return { kind: 'message' as const, from, message: { ...made, from, to: TO } };
      }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('tick' as const, 'tick', 'synced', 'gap', 'up', 'down'),
    }),
  },
);

function newGroup(seed: number, isForgetful: boolean): RaftGroup {
  return new RaftGroup({
    self: TO,
    members: { voters: [FROM, TO, THIRD], learners: [] },
    knobs: { ...DEFAULT_RAFT_KNOBS, electionTicksMin: 3, electionTicksMax: 5 },
    random: new Prng(seed),
    hardState: { term: 2, votedFor: null },
    log: {
      start: { offset: 1, marks: 1 },
      end: { offset: 4, marks: 3 },
      epochs: [
        { epoch: 1, start: { offset: 0, marks: 0 } },
        { epoch: 2, start: { offset: 2, marks: 2 } },
      ],
    },
    isForgetful,
  });
}

/** Takes all work as a driver would whose disk is always done at once. */
function workOff(group: RaftGroup, isSynced: boolean): void {
  for (let ready = group.takeReady(); ready !== null; ready = group.takeReady()) {
    if (ready.sync !== null && isSynced) group.synced(ready.sync);
  }
  group.takeOrders();
}

function apply(group: RaftGroup, one: Step): void {
  switch (one.kind) {
    case 'message':
      group.step(one.message);
      break;
    case 'tick':
      group.tick();
      break;
    case 'gap':
      group.resumedAfterGap();
      break;
    case 'up':
      group.peerUp(FROM.nodeId);
      break;
    case 'down':
      group.peerDown(FROM.nodeId);
      break;
    case 'synced':
      break;
  }
  workOff(group, one.kind === 'synced' || one.kind === 'tick');
}

/** A leader whose log contradicts itself breaks an invariant; that stops the group, by intent. */
const isStop = (error: unknown): boolean => error instanceof InvariantError;
const never = (): boolean => false;

export const RAFT_TARGETS = [
  target(
    'raft-group',
    () =>
      fc.property(fc.nat(), fc.boolean(), fc.array(step, { maxLength: 40 }), (seed, flag, list) => {
        const group = newGroup(seed, flag);
        workOff(group, true);
        let commit = group.commit;
        for (const one of list) {
          const done = guarded(MESSAGE_BYTES, isStop, () => apply(group, one));
          if ('error' in done) return;
          assert.ok(group.commit.offset >= commit.offset, 'the commit position never goes back');
          commit = group.commit;
        }
      }),
    50,
  ),
  target(
    'raft-strangers',
    () =>
      fc.property(fc.nat(), fc.boolean(), fc.array(step, { maxLength: 40 }), (seed, flag, list) => {
        const group = newGroup(seed, flag);
        workOff(group, true);
        const { term, commit, end } = group;
        for (const one of list) {
          if (one.kind !== 'message') continue;
          const message = { ...one.message, from: STRANGER };
          guarded(MESSAGE_BYTES, never, () => group.step(message));
          const ready = group.takeReady();
          assert.is(ready?.messages.length ?? 0, 0);
          assert.is(ready?.hardState ?? null, null);
        }
        assert.equal([group.term, group.commit, group.end], [term, commit, end]);
      }),
    50,
  ),
];
