/** Planted histories of what was served: bytes, epochs, checksums, sequences, gaps. */
import type { HistoryEvent } from '../events.js';
import { type Case, PARTITION } from './case.js';

type BatchEvent = Extract<HistoryEvent, { kind: 'batch' }>;

export function batch(baseOffset: number, more: Partial<BatchEvent> = {}): BatchEvent {
  return {
    kind: 'batch',
    partition: PARTITION,
    baseOffset,
    nextOffset: baseOffset + 2,
    leaderEpoch: 1,
    isSound: true,
    digest: `bytes at ${baseOffset}`,
    highWatermark: 100,
    producer: { producerId: -1, producerEpoch: -1, baseSequence: -1 },
    isFinal: true,
    ...more,
  };
}

const early = (baseOffset: number, more: Partial<BatchEvent> = {}): BatchEvent =>
  batch(baseOffset, { isFinal: false, ...more });

export const by = (producerId: number, producerEpoch: number, baseSequence: number) => ({
  producer: { producerId, producerEpoch, baseSequence },
});

const reader = { reader: 'r1', partition: PARTITION };
const seek = (offset: number): HistoryEvent => ({ kind: 'seek', ...reader, offset });
const given = (from: number, to: number): HistoryEvent => ({ kind: 'given', ...reader, from, to });

export const READ_CASES: readonly Case[] = [
  {
    id: 'K3',
    what: 'a place shows other bytes to a later reader',
    before: [early(0)],
    broken: [batch(0, { digest: 'other bytes' })],
    clean: [batch(0)],
  },
  {
    id: 'K8',
    what: 'a batch is served above the high watermark',
    before: [batch(0)],
    broken: [batch(2, { highWatermark: 3 })],
    clean: [batch(2, { highWatermark: 4 })],
  },
  {
    id: 'K8',
    what: 'a batch that was served is not there at the end',
    before: [batch(0), early(2)],
    broken: [],
    clean: [batch(2)],
  },
  {
    id: 'K9',
    what: 'leader epochs go back along a log',
    before: [batch(0, { leaderEpoch: 3 })],
    broken: [batch(2, { leaderEpoch: 2 })],
    clean: [batch(2, { leaderEpoch: 3 })],
  },
  {
    id: 'K9',
    what: 'a batch is of another epoch elsewhere',
    before: [early(0, { leaderEpoch: 3 })],
    broken: [batch(0, { leaderEpoch: 4 })],
    clean: [batch(0, { leaderEpoch: 3 })],
  },
  {
    id: 'K10',
    what: 'a batch with a bad checksum is served',
    before: [batch(0)],
    broken: [early(0, { isSound: false })],
    clean: [early(0)],
  },
  {
    id: 'P1',
    what: "a producer's sequences have a gap",
    before: [batch(0, by(7, 0, 0)), batch(2, by(8, 0, 0))],
    broken: [batch(4, by(7, 0, 4))],
    clean: [batch(4, by(7, 0, 2)), batch(6, by(7, 1, 0)), batch(8, by(8, 0, 2))],
  },
  {
    id: 'P1',
    what: 'a sequence is there twice, at two places',
    before: [batch(0, by(7, 0, 0))],
    broken: [batch(2, { ...by(7, 0, 0), digest: 'bytes at 0' })],
    clean: [batch(2, by(7, 0, 2))],
  },
  {
    id: 'K5',
    what: 'a reader skips',
    before: [seek(0), given(0, 3)],
    broken: [given(4, 6)],
    clean: [given(3, 6)],
  },
  {
    id: 'K5',
    what: 'a reader is given a record again',
    before: [seek(0), given(0, 3), given(3, 5)],
    broken: [given(3, 5), given(5, 6)],
    clean: [given(5, 6), seek(3), given(3, 5)],
  },
  {
    id: 'K5',
    what: 'reading ends below the high watermark',
    before: [seek(4), given(2, 6)],
    broken: [{ kind: 'end', ...reader, offset: 9 }],
    clean: [{ kind: 'end', ...reader, offset: 6 }],
  },
];
