/** Planted histories of questions about a log's ends, and of who leads. */
import type { HistoryEvent, LeaderEvent, Question } from '../events.js';
import { type Case, OTHER_PARTITION, PARTITION } from './case.js';
import { acked, records, sent } from './writes.js';

const ask = (op: number, question: Question, epoch = -1, offset = -1): HistoryEvent => ({
  kind: 'asked',
  op,
  partition: PARTITION,
  question,
  epoch,
  offset,
});

type Told = {
  readonly hw?: number;
  readonly lso?: number;
  readonly start?: number;
  readonly epoch?: number;
};

const told = (op: number, { hw = -1, lso = hw, start = 0, epoch = -1 }: Told): HistoryEvent => ({
  kind: 'told',
  op,
  highWatermark: hw,
  lastStableOffset: lso,
  logStartOffset: start,
  epoch,
});

const latest = (op: number, hw: number, epoch: number): HistoryEvent[] => [
  ask(op, 'latest'),
  told(op, { hw, epoch }),
];

const fetched = (op: number, epoch: number, answer: Told): HistoryEvent[] => [
  ask(op, 'fetch', epoch, 0),
  told(op, answer),
];

const outOfRange = (op: number, logStartOffset: number): HistoryEvent => ({
  kind: 'out-of-range',
  op,
  logStartOffset,
});

const ACKED = [sent(1, 0, 3), acked(1, 0, 0, 4), ...records('1.0.0 1.0.1 1.0.2')];

const leader = (
  source: string | null,
  epoch: number,
  node: number,
  partition = PARTITION,
): LeaderEvent => ({ kind: 'leader', source, partition, epoch, node });

const WATERMARK_CASES: readonly Case[] = [
  {
    id: 'K6',
    what: 'ListOffsets(latest) goes back',
    before: latest(1, 9, 2),
    broken: latest(2, 8, 3),
    clean: latest(2, 9, 3),
  },
  {
    id: 'K6',
    what: 'ListOffsets(latest) is below what a fetch showed',
    before: fetched(1, 2, { hw: 9 }),
    broken: latest(2, 8, 3),
    clean: [ask(3, 'latest'), ...fetched(2, 2, { hw: 12 }), told(3, { hw: 9, epoch: 2 })],
  },
  {
    id: 'K6',
    what: 'ListOffsets(latest) is of an older epoch',
    before: latest(1, 9, 3),
    broken: latest(2, 9, 2),
    clean: latest(2, 9, 3),
  },
  {
    id: 'K6',
    what: 'the high watermark of fetches goes back',
    before: fetched(1, 2, { hw: 9 }),
    broken: fetched(2, 3, { hw: 8 }),
    // Who asks a deposed leader, naming its epoch, may be shown less.
    clean: fetched(2, 1, { hw: 8 }),
  },
  {
    id: 'K6',
    what: 'the stable offset goes back',
    before: fetched(1, 2, { hw: 9, lso: 7 }),
    broken: fetched(2, 2, { hw: 9, lso: 6 }),
    clean: fetched(2, 2, { hw: 9, lso: 7 }),
  },
  {
    id: 'K6',
    what: 'the log start goes back',
    before: fetched(1, 2, { hw: 9, start: 5 }),
    broken: [ask(2, 'earliest', 2), told(2, { start: 4 })],
    clean: [ask(2, 'earliest', 2), told(2, { start: 6 })],
  },
  {
    id: 'K6',
    what: 'one source tells an older leader epoch',
    before: [leader('connection 1', 4, 2)],
    broken: [leader('connection 1', 3, 1)],
    clean: [leader('connection 2', 3, 1), leader('connection 1', 4, -1)],
  },
  {
    id: 'K8',
    what: 'the stable offset is above the high watermark',
    before: [],
    broken: fetched(1, 2, { hw: 8, lso: 9 }),
    clean: fetched(1, 2, { hw: 8, lso: 8 }),
  },
];

const ACK_CASES: readonly Case[] = [
  {
    id: 'K7',
    what: 'ListOffsets(latest) begun after an ack does not see it',
    before: ACKED,
    broken: latest(1, 2, 4),
    clean: latest(1, 3, 4),
  },
  {
    id: 'K7',
    what: 'a fetch of the acknowledging epoch begun after the ack does not see it',
    before: ACKED,
    broken: fetched(1, 4, { hw: 2 }),
    clean: fetched(1, 3, { hw: 2 }),
  },
  {
    id: 'K7',
    what: 'a fetch of an epoch confirmed after the ack does not see it',
    before: [...ACKED, ...latest(1, 3, 6)],
    broken: fetched(2, 7, { hw: 2 }),
    // Of epoch 5 nobody knows whether it came before or after the acknowledging one.
    clean: fetched(2, 5, { hw: 2 }),
  },
  {
    id: 'K7',
    what: 'a question asked before the ack is not bound, the next one is',
    before: [ask(1, 'latest'), ...ACKED, told(1, { hw: 0, epoch: 4 })],
    broken: latest(2, 0, 4),
    clean: latest(2, 3, 4),
  },
  {
    id: 'K11',
    what: 'an acknowledged end is out of range',
    before: [...ACKED, ask(1, 'fetch', 4, 3)],
    broken: [outOfRange(1, 0)],
    clean: [told(1, { hw: 3 })],
  },
  {
    id: 'K11',
    what: 'a shown high watermark is out of range',
    before: fetched(1, 2, { hw: 9 }),
    broken: [ask(2, 'fetch', 2, 9), outOfRange(2, 0)],
    clean: [ask(2, 'fetch', 2, 10), outOfRange(2, 0), ask(3, 'fetch', 1, 9), outOfRange(3, 0)],
  },
  {
    id: 'K11',
    what: 'out of range is true below the log start only',
    before: fetched(1, 2, { hw: 9, start: 3 }),
    broken: [ask(2, 'fetch', 2, 5), outOfRange(2, 5)],
    clean: [ask(2, 'fetch', 2, 5), outOfRange(2, 6)],
  },
];

const LEADER_CASES: readonly Case[] = [
  {
    id: 'R1',
    what: 'two nodes lead one epoch',
    before: [leader(null, 4, 2), leader('connection 1', 4, 2)],
    broken: [leader('log of node 3', 4, 3)],
    clean: [leader(null, 5, 3), leader(null, 4, 3, OTHER_PARTITION), leader(null, -1, 3)],
  },
];

export const OFFSET_CASES: readonly Case[] = [...WATERMARK_CASES, ...ACK_CASES, ...LEADER_CASES];
