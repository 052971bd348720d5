/**
 * Ways to make a clean history a lie: each changes one event so that one promise is broken for
 * certain, and says where that can be done. Pure; the property test applies them at random.
 */
import type { HistoryEvent } from './events.js';
import type { ViolationId } from './violation.js';

export type Mutation = {
  readonly name: string;
  /** One of these must be reported. */
  readonly ids: readonly ViolationId[];
  /** What to put in the place of the event at `at`; null when nothing there can be broken so. */
  readonly apply: (events: readonly HistoryEvent[], at: number) => readonly HistoryEvent[] | null;
};

type Kind = HistoryEvent['kind'];
type Of<K extends Kind> = Extract<HistoryEvent, { kind: K }>;

/** A mutation of events of one kind. */
function mutation<K extends Kind>(
  name: string,
  ids: readonly ViolationId[],
  kind: K,
  change: (
    event: Of<K>,
    before: readonly HistoryEvent[],
    after: readonly HistoryEvent[],
  ) => readonly HistoryEvent[] | null,
): Mutation {
  const apply: Mutation['apply'] = (events, at) => {
    const event = events[at];
    if (event?.kind !== kind) return null;
    return change(event as Of<K>, events.slice(0, at), events.slice(at + 1));
  };
  return { name, ids, apply };
}

function has<K extends Kind>(
  events: readonly HistoryEvent[],
  kind: K,
  test: (event: Of<K>) => boolean = () => true,
): boolean {
  return events.some((event) => event.kind === kind && test(event as Of<K>));
}

const WRITES: readonly Mutation[] = [
  mutation('a final record is lost', ['K1', 'K3', 'K8'], 'record', (event, before, after) => {
    if (!event.isFinal) return null;
    const isAcked = tagOf(event.value, [...before, ...after]) === 'acked';
    return isAcked ? [] : null;
  }),
  mutation('an ack turns into a refusal', ['K2'], 'acked', ({ writer, batch }) => [
    { kind: 'refused', writer, batch },
  ]),
  mutation('a byte changes', ['K2', 'K3'], 'record', (event) => [
    { ...event, value: `${event.value}?` },
  ]),
  mutation('a record moves', ['K3'], 'record', (event, before, after) =>
    tagOf(event.value, [...before, ...after]) === 'acked'
      ? [{ ...event, offset: event.offset + 1 }]
      : null,
  ),
  mutation('a record is there twice', ['P1'], 'record', (event) =>
    event.isFinal ? [event, { ...event, offset: event.offset + 7 }] : null,
  ),
  mutation('an ack names too low an offset', ['K4'], 'acked', (event, before) =>
    has(before, 'acked') ? [{ ...event, baseOffset: 0 }] : null,
  ),
  mutation('a retry gets another offset', ['P3'], 'answered-again', (event) => [
    { ...event, baseOffset: event.baseOffset + 1 },
  ]),
];

function tagOf(value: string, events: readonly HistoryEvent[]): 'acked' | 'other' {
  const [, writer, batch] = /^w(\d+)\.b(\d+)/.exec(value) ?? [];
  const isIt = (key: { writer: number; batch: number }): boolean =>
    key.writer === Number(writer) && key.batch === Number(batch);
  return has(events, 'acked', isIt) ? 'acked' : 'other';
}

const READS: readonly Mutation[] = [
  mutation('a reader skips', ['K5'], 'given', (event) => [{ ...event, from: event.from + 1 }]),
  mutation('a reader is given it again', ['K5'], 'given', (event) => [event, event]),
  mutation('reading ends early', ['K5'], 'end', (event) => [
    { ...event, offset: event.offset + 1 },
  ]),
  mutation('another batch is shown', ['K3'], 'batch', (event, before, after) =>
    isSeenTwice(event, before, after) ? [{ ...event, digest: 'another' }] : null,
  ),
  mutation('a batch is dirty', ['K8'], 'batch', (event) => [
    { ...event, highWatermark: event.nextOffset - 1 },
  ]),
  mutation('a batch vanishes', ['K8'], 'batch', (event, before) =>
    event.isFinal && has(before, 'batch', isAt(event)) ? [] : null,
  ),
  mutation('an epoch differs', ['K9'], 'batch', (event, before, after) =>
    isSeenTwice(event, before, after) ? [{ ...event, leaderEpoch: event.leaderEpoch + 9 }] : null,
  ),
  mutation('an epoch goes back', ['K9'], 'batch', (event, before) =>
    event.isFinal && has(before, 'batch', (other) => other.isFinal)
      ? [{ ...event, leaderEpoch: 0 }]
      : null,
  ),
  mutation('a checksum is bad', ['K10'], 'batch', (event) => [{ ...event, isSound: false }]),
  mutation('a sequence has a gap', ['P1'], 'batch', (event) =>
    event.isFinal ? [{ ...event, producer: { ...event.producer, baseSequence: 1_000 } }] : null,
  ),
];

const isAt = (event: Of<'batch'>) => (other: Of<'batch'>) => other.baseOffset === event.baseOffset;

function isSeenTwice(
  event: Of<'batch'>,
  before: readonly HistoryEvent[],
  after: readonly HistoryEvent[],
): boolean {
  return has([...before, ...after], 'batch', isAt(event));
}

const LOWER = 1;

const OFFSETS: readonly Mutation[] = [
  mutation('an end goes back', ['K6', 'K7'], 'told', (event, before) => {
    const op = before.find((other) => other.kind === 'asked' && other.op === event.op);
    const isLatest = op?.kind === 'asked' && op.question === 'latest';
    const isBound = has(before, 'acked', (ack) => ack.baseOffset >= 0);
    if (!isLatest || !isBound) return null;
    return [{ ...event, highWatermark: ackedEnd(before) - LOWER }];
  }),
  mutation('a stable offset is too high', ['K8'], 'told', (event, before) =>
    has(before, 'asked', ({ op, question }) => op === event.op && question === 'fetch')
      ? [{ ...event, lastStableOffset: event.highWatermark + 1 }]
      : null,
  ),
  mutation('an acknowledged end is out of range', ['K11'], 'told', (event, before) => {
    const asked = before.find((other) => other.kind === 'asked' && other.op === event.op);
    if (asked?.kind !== 'asked' || asked.question !== 'fetch') return null;
    const isBound = has(before, 'acked', ({ epoch }) => epoch === asked.epoch);
    return isBound ? [{ kind: 'out-of-range', op: event.op, logStartOffset: 0 }] : null;
  }),
  mutation('a second leader', ['R1'], 'leader', (event) => [
    event,
    { ...event, source: null, node: event.node + 1 },
  ]),
  mutation('an older epoch is told', ['K6'], 'leader', (event) => [
    event,
    { ...event, epoch: event.epoch - 1, node: -1 },
  ]),
];

function ackedEnd(events: readonly HistoryEvent[]): number {
  const sizes = new Map<string, number>();
  let end = 0;
  for (const event of events) {
    if (event.kind === 'sent') sizes.set(`${event.writer} ${event.batch}`, event.records);
    if (event.kind !== 'acked') continue;
    end = Math.max(end, event.baseOffset + (sizes.get(`${event.writer} ${event.batch}`) ?? 0));
  }
  return end;
}

const GROUPS: readonly Mutation[] = [
  mutation('a generation comes back', ['G2'], 'joined', (event, before) =>
    has(before, 'joined') ? [{ ...event, generation: 0 }] : null,
  ),
  mutation('a second owner', ['G1'], 'assigned', (event) => [
    event,
    { kind: 'group-asked', op: 1_000_000, group: 'modelled' },
    { ...event, op: 1_000_000, member: 'somebody else' },
  ]),
  mutation('an old owner is confirmed', ['G1'], 'confirmed', (event) =>
    event.generation > 0 ? [{ ...event, generation: event.generation - 1 }] : null,
  ),
  mutation('an old generation commits', ['G3'], 'commit', (event, _before, after) =>
    event.generation > 0 && has(after, 'committed', ({ op }) => op === event.op)
      ? [{ ...event, generation: event.generation - 1 }]
      : null,
  ),
  mutation('a position is forgotten', ['G4'], 'position', (event, before) =>
    has(before, 'committed') ? [{ ...event, offset: -1, token: '' }] : null,
  ),
  mutation('a position was never committed', ['G4'], 'position', (event) => [
    { ...event, offset: event.offset + 1 },
  ]),
  mutation('a record is skipped by the group', ['G5'], 'group-read', (event, _before, after) =>
    event.to > event.from && has(after, 'position', ({ offset }) => offset >= event.to) ? [] : null,
  ),
];

export const MUTATIONS: readonly Mutation[] = [...WRITES, ...READS, ...OFFSETS, ...GROUPS];
