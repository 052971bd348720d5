/** Planted histories of writers: lost, invented, moved, reordered, vanished, twice. */
import { tagValue } from '../../tag.js';
import type { HistoryEvent } from '../events.js';
import { type Case, type Events, OTHER_PARTITION, PARTITION } from './case.js';

export const sent = (
  writer: number,
  batch: number,
  records: number,
  partition = PARTITION,
): HistoryEvent => ({
  kind: 'sent',
  writer,
  batch,
  partition,
  records,
});

export const acked = (
  writer: number,
  batch: number,
  baseOffset: number,
  epoch = 1,
): HistoryEvent => ({
  kind: 'acked',
  writer,
  batch,
  baseOffset,
  epoch,
});

const fate = (kind: 'refused' | 'unknown', writer: number, batch: number): HistoryEvent => ({
  kind,
  writer,
  batch,
});

/** Names `writer.batch.index`, or a value behind a quote; `offset=` moves on to that offset. */
export function records(names: string, isFinal = true, partition = PARTITION): HistoryEvent[] {
  let offset = 0;
  return names.split(' ').map((entry) => {
    const [place, name] = entry.includes('=') ? entry.split('=') : [undefined, entry];
    if (place !== undefined) offset = Number(place);
    const value = name?.startsWith('"') === true ? name.slice(1) : valueOf(name as string);
    offset += 1;
    return { kind: 'record', partition, offset: offset - 1, value, isFinal };
  });
}

function valueOf(name: string): string {
  const [writer, batch, index] = name.split('.').map(Number) as [number, number, number];
  return tagValue({ writer, batch, index });
}

/** Two batches of writer 1, acknowledged at 0 and 3, and one of writer 2 without an answer. */
export const WRITTEN: Events = [
  sent(1, 0, 3),
  acked(1, 0, 0),
  sent(1, 1, 2),
  acked(1, 1, 3),
  sent(2, 0, 2),
  fate('unknown', 2, 0),
];
const KEPT = '1.0.0 1.0.1 1.0.2 1.1.0 1.1.1';
const LOG = `${KEPT} 2.0.0 2.0.1`;
export const ALL: Events = [...WRITTEN, ...records(LOG)];

const flipped = (name: string): string => {
  const value = valueOf(name);
  if (value.length < 20) throw new Error('the example needs filler');
  return `"${value.slice(0, -1)}${value.endsWith('!') ? '?' : '!'}`;
};

const lost = (what: string, names: string): Case => ({
  id: 'K1',
  what,
  before: WRITTEN,
  broken: records(names),
  clean: records(KEPT),
});

const invented = (what: string, before: Events, names: string, clean = LOG): Case => ({
  id: 'K2',
  what,
  before,
  broken: records(names),
  clean: records(clean),
});

export const WRITE_CASES: readonly Case[] = [
  lost('an acknowledged batch is gone at the end', '1.0.0 1.0.1 1.0.2'),
  lost('another batch lies in its place', '1.0.0 1.0.1 1.0.2 2.0.0 2.0.1'),
  lost('one record of it is gone', '1.0.0 1.0.1 1.0.2 1.1.0'),
  {
    ...lost('it was read before it vanished', '1.0.0 1.0.1 1.0.2'),
    before: [...WRITTEN, ...records(KEPT, false)],
  },
  {
    ...lost('a client that is not told offsets had it acknowledged', KEPT),
    before: [...WRITTEN, sent(3, 0, 1), acked(3, 0, -1)],
    clean: records(`${KEPT} 3.0.0`),
  },
  invented('bytes that nobody sent', WRITTEN, `${LOG} "garbage`),
  invented('a writer that does not exist', WRITTEN, `${LOG} 7.0.0`),
  invented('a record behind the end of its batch', WRITTEN, `${LOG} 1.0.3`),
  invented(
    'sent to another partition',
    [...WRITTEN, sent(3, 0, 1, OTHER_PARTITION)],
    `${LOG} 3.0.0`,
  ),
  invented('refused', [...WRITTEN, sent(3, 0, 1), fate('refused', 3, 0)], `${LOG} 3.0.0`),
  {
    ...invented('refused after somebody read it', WRITTEN, LOG),
    broken: [sent(3, 0, 1), ...records('7=3.0.0', false), fate('refused', 3, 0), ...records(LOG)],
    clean: [sent(3, 0, 1), ...records('7=3.0.0', false), ...records(`${LOG} 3.0.0`)],
  },
  {
    id: 'K3',
    what: 'a flipped byte in the filler',
    before: WRITTEN,
    broken: records(LOG.replace('1.0.1', flipped('1.0.1'))),
    clean: records(LOG),
  },
  {
    id: 'K3',
    what: 'acknowledged records at other offsets',
    before: WRITTEN,
    broken: records('1.1.0 1.1.1 1.0.0 1.0.1 1.0.2'),
    clean: records(KEPT),
  },
  {
    id: 'K3',
    what: 'a batch without an answer is torn',
    before: WRITTEN,
    broken: records(`${KEPT} 2.0.0`),
    clean: records(KEPT),
  },
  {
    id: 'K3',
    what: 'a record was read somewhere else before',
    before: [...WRITTEN, ...records('6=2.0.0', false)],
    broken: records(LOG),
    clean: records(`${KEPT} 6=2.0.0 2.0.1`),
  },
  {
    id: 'K4',
    what: 'a record sent after an ack got a lower offset',
    before: [sent(1, 0, 1), acked(1, 0, 1)],
    broken: [sent(2, 0, 1), acked(2, 0, 0), ...records('2.0.0 1.0.0')],
    clean: [sent(2, 0, 1), acked(2, 0, 2), ...records('1=1.0.0 2.0.0')],
  },
  {
    id: 'K8',
    what: 'a record was read, then vanished',
    before: [...WRITTEN, ...records('5=2.0.0', false)],
    broken: records(KEPT),
    clean: records(LOG),
  },
  {
    id: 'P1',
    what: 'records are there twice',
    before: WRITTEN,
    broken: records(`${LOG} 1.1.0 1.1.1`),
    clean: records(LOG),
  },
  {
    id: 'P1',
    what: 'the next sequence is refused',
    before: [...WRITTEN, sent(3, 0, 1)],
    broken: [
      { kind: 'sequence-refused', writer: 3, batch: 0 },
      fate('refused', 3, 0),
      ...records(LOG),
    ],
    clean: [fate('refused', 3, 0), ...records(LOG)],
  },
  {
    id: 'P3',
    what: 'a retry gets another offset',
    before: ALL,
    broken: [{ kind: 'answered-again', writer: 1, batch: 1, baseOffset: 5 }],
    clean: [{ kind: 'answered-again', writer: 1, batch: 1, baseOffset: 3 }],
  },
  {
    id: 'P3',
    what: 'a retry is refused',
    before: ALL,
    broken: [{ kind: 'answered-again', writer: 1, batch: 1, baseOffset: -1 }],
    clean: [],
  },
];
