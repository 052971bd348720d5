/** Planted histories of consumer groups: owners, generations, positions, a death. */
import type { HistoryEvent } from '../events.js';
import { ORPHAN_MS_MAX } from '../groups.js';
import { type Case, OTHER_PARTITION, PARTITION } from './case.js';

const GROUP = 'billing';

const ask = (op: number): HistoryEvent => ({ kind: 'group-asked', op, group: GROUP });

const join = (op: number, generation: number, leader: string): HistoryEvent[] => [
  ask(op),
  { kind: 'joined', op, generation, leader },
];

const assigned = (
  op: number,
  generation: number,
  member: string,
  partitions: readonly string[],
  atMs = 0,
): HistoryEvent => ({ kind: 'assigned', op, generation, member, partitions, atMs });

const sync = (
  op: number,
  generation: number,
  member: string,
  partitions: readonly string[],
  atMs = 0,
): HistoryEvent[] => [ask(op), assigned(op, generation, member, partitions, atMs)];

const beat = (op: number, generation: number, member: string): HistoryEvent[] => [
  ask(op),
  { kind: 'confirmed', op, generation, member },
];

const read = (from: number, to: number): HistoryEvent => ({
  kind: 'group-read',
  group: GROUP,
  partition: PARTITION,
  from,
  to,
});

const commit = (op: number, offset: number, generation = 1): HistoryEvent => ({
  kind: 'commit',
  op,
  group: GROUP,
  partition: PARTITION,
  offset,
  token: `c${op}`,
  generation,
});

const committed = (op: number): HistoryEvent => ({ kind: 'committed', op });

const done = (op: number, offset: number): HistoryEvent[] => [commit(op, offset), committed(op)];

const where = (op: number): HistoryEvent => ({
  kind: 'position-asked',
  op,
  group: GROUP,
  partition: PARTITION,
});

/** The answer names the commit with number `by`. */
const answer = (op: number, offset: number, by: number): HistoryEvent => ({
  kind: 'position',
  op,
  offset,
  token: by < 0 ? '' : `c${by}`,
});

const position = (op: number, offset: number, by: number): HistoryEvent[] => [
  where(op),
  answer(op, offset, by),
];

const BOTH = [PARTITION, OTHER_PARTITION];

const MEMBER_CASES: readonly Case[] = [
  {
    id: 'G1',
    what: 'two members own a partition in one generation',
    before: sync(1, 3, 'a', [PARTITION]),
    broken: sync(2, 3, 'b', [PARTITION]),
    clean: [...sync(2, 3, 'b', [OTHER_PARTITION]), ...sync(3, 4, 'b', BOTH)],
  },
  {
    id: 'G1',
    what: 'an owner is confirmed after a later generation has owners',
    before: [...sync(1, 3, 'a', BOTH), ask(9), ...sync(2, 4, 'b', BOTH)],
    broken: beat(3, 3, 'a'),
    clean: [...beat(3, 4, 'b'), { kind: 'confirmed', op: 9, generation: 3, member: 'a' }],
  },
  {
    id: 'G1',
    what: 'partitions of a generation are handed out after a later one has owners',
    before: sync(1, 4, 'a', [PARTITION]),
    broken: sync(2, 3, 'b', [OTHER_PARTITION]),
    clean: sync(2, 4, 'b', [OTHER_PARTITION]),
  },
  {
    id: 'G2',
    what: 'a generation goes back',
    before: join(1, 5, 'a'),
    broken: join(2, 4, 'b'),
    clean: join(2, 6, 'b'),
  },
  {
    id: 'G2',
    what: 'a generation comes back with another leader',
    before: join(1, 5, 'a'),
    broken: join(2, 5, 'b'),
    clean: join(2, 5, 'a'),
  },
  {
    id: 'G6',
    what: 'partitions of a dead member stay without an owner',
    before: [...sync(1, 3, 'a', BOTH, 0), { kind: 'died', group: GROUP, member: 'a', atMs: 1_000 }],
    broken: [],
    clean: sync(2, 4, 'b', BOTH, 9_000),
    endMs: ORPHAN_MS_MAX + 2_000,
  },
  {
    id: 'G6',
    what: 'the heir comes too late',
    before: [...sync(1, 3, 'a', BOTH, 0), { kind: 'died', group: GROUP, member: 'a', atMs: 1_000 }],
    broken: sync(2, 4, 'b', BOTH, ORPHAN_MS_MAX + 1_001),
    clean: sync(2, 4, 'b', BOTH, ORPHAN_MS_MAX + 1_000),
  },
];

const POSITION_CASES: readonly Case[] = [
  {
    id: 'G3',
    what: 'a commit of an old generation is taken',
    before: [...sync(1, 3, 'a', BOTH), commit(8, 2, 3), ...sync(2, 4, 'b', BOTH)],
    broken: [commit(3, 5, 3), committed(3)],
    clean: [commit(3, 5, 4), committed(3), committed(8)],
  },
  {
    id: 'G4',
    what: 'an acknowledged position is gone',
    before: [read(0, 9), ...done(1, 4)],
    broken: position(2, -1, -1),
    clean: position(2, 4, 1),
  },
  {
    id: 'G4',
    what: 'an older position is back',
    before: [read(0, 9), ...done(1, 4), ...done(2, 7)],
    broken: position(3, 4, 1),
    // A position may go down, if it was committed so.
    clean: [...position(3, 7, 2), ...done(4, 2), ...position(5, 2, 4)],
  },
  {
    id: 'G4',
    what: 'a refused commit is in force',
    before: [read(0, 9), ...done(1, 4), commit(2, 7), { kind: 'commit-refused', op: 2 }],
    broken: position(3, 7, 2),
    clean: position(3, 4, 1),
  },
  {
    id: 'G4',
    what: 'a commit without an answer was in force, and is not any more',
    before: [read(0, 9), ...done(1, 4), commit(2, 7), { kind: 'commit-unknown', op: 2 }],
    broken: [...position(3, 7, 2), ...position(4, 4, 1)],
    clean: [...position(3, 4, 1), ...position(4, 7, 2), ...position(5, 7, 2)],
  },
  {
    id: 'G4',
    what: 'a position that changes while it is asked for may be either',
    before: [read(0, 9), ...done(1, 4), where(5), ...done(2, 7), where(6), answer(5, 4, 1)],
    broken: [answer(6, 4, 1)],
    clean: [answer(6, 7, 2)],
  },
  {
    id: 'G5',
    what: 'the group is past a record that no member was given',
    before: [read(0, 4), read(5, 9), ...done(1, 9)],
    broken: position(2, 9, 1),
    clean: [read(3, 5), ...position(2, 9, 1)],
  },
  {
    id: 'G5',
    what: 'a group whose commits nobody sees went past a record',
    before: [read(0, 4), read(5, 9)],
    broken: [{ kind: 'group-at', group: GROUP, partition: PARTITION, offset: 5 }],
    clean: [{ kind: 'group-at', group: GROUP, partition: PARTITION, offset: 4 }],
  },
];

export const GROUP_CASES: readonly Case[] = [...MEMBER_CASES, ...POSITION_CASES];
