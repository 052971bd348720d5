/**
 * Idempotent producers against a naive model, which rebuilds the state from the whole log after
 * every step (P2) and looks at the log's own sequences (P1). The tests and the fuzzer play it.
 */
import * as assert from 'uvu/assert';
import fc from 'fast-check';
import { type ProducerBatch, ProducerState } from '#src/partition/producer-state.js';

const HOUR = 3_600_000;

export function batch(
  baseSequence: number,
  count = 1,
  options: { id?: number; epoch?: number; timestamp?: number } = {},
): ProducerBatch {
  const { id = 7, epoch = 0, timestamp = 1_000 } = options;
  return {
    producerId: id,
    producerEpoch: epoch,
    baseSequence,
    lastOffsetDelta: count - 1,
    maxTimestamp: timestamp,
  };
}

/** Everything the state holds, as plain data. */
export function dump(state: ProducerState): unknown {
  return [...state.entries()].map(([id, { producerEpoch, batches }]) => [
    id,
    producerEpoch,
    batches,
  ]);
}

export const fresh = (): ProducerState => new ProducerState({ expirationMs: HOUR });

type Log = (readonly [number, ProducerBatch])[];

/** The state as a function of the log, written as simply as possible (P2). */
function rebuilt(log: Log): ProducerState {
  const state = fresh();
  for (const [offset, header] of log) state.replayed(header, offset);
  return state;
}

type Send = { kind: 'send'; id: number; epoch: number; jump: number; count: number };
type Cut = { kind: 'truncate' | 'commit'; by: number };

const send: fc.Arbitrary<Send> = fc.record({
  kind: fc.constant('send'),
  id: fc.integer({ min: -1, max: 3 }),
  epoch: fc.nat({ max: 1 }),
  jump: fc.constantFrom(0, 0, 0, 0, -1, -2, 1),
  count: fc.integer({ min: 1, max: 3 }),
});
const cut: fc.Arbitrary<Cut> = fc.record({
  kind: fc.constantFrom('truncate', 'commit'),
  by: fc.nat({ max: 6 }),
});

class ProducerRun {
  readonly state = fresh();
  log: Log = [];
  committed = 0;
  duplicates = 0;

  send({ id, epoch, jump, count }: Send): void {
    const isOwn = ([, b]: Log[number]): boolean => b.producerId === id && b.producerEpoch === epoch;
    const own = this.log.filter(isOwn).at(-1)?.[1];
    const next = own === undefined ? 0 : own.baseSequence + own.lastOffsetDelta + 1;
    const header = batch(Math.max(0, next + jump), count, { id, epoch });
    const verdict = this.state.check(header);
    if (verdict === 'append') {
      const end = endOf(this.log);
      this.state.applied(header, end);
      this.log.push([end, header]);
    } else if (typeof verdict !== 'string') {
      this.duplicates += 1;
      const original = this.log.find(([offset]) => offset === verdict.duplicate);
      assert.equal(original?.[1], header, 'a duplicate is in the log');
    }
  }

  cut({ kind, by }: Cut): void {
    const kept = this.log.slice(0, Math.max(0, this.log.length - by));
    if (kind === 'commit') {
      this.committed = Math.max(this.committed, endOf(kept));
      this.state.committed(this.committed);
      return;
    }
    this.log = this.log.filter((entry) => kept.includes(entry) || entry[0] < this.committed);
    assert.is(this.state.truncated(endOf(this.log)), true);
  }
}

function endOf(log: Log): number {
  const last = log.at(-1);
  return last === undefined ? 0 : last[0] + last[1].lastOffsetDelta + 1;
}

/** P1: within an epoch of a producer every sequence at most once, in order, without a gap. */
function assertInOrder(log: Log, producer: number): void {
  let last: ProducerBatch | null = null;
  for (const [, header] of log) {
    if (header.producerId !== producer) continue;
    if (last !== null) {
      assert.ok(header.producerEpoch >= last.producerEpoch, 'epochs rise');
      const isNew = header.producerEpoch > last.producerEpoch;
      const expected = isNew ? 0 : last.baseSequence + last.lastOffsetDelta + 1;
      assert.is(header.baseSequence, expected);
    }
    last = header;
  }
}

export const producerSteps: fc.Arbitrary<readonly (Send | Cut)[]> = fc.array(
  fc.oneof({ weight: 5, arbitrary: send }, cut),
  { maxLength: 80, size: 'max' },
);

/** Plays the steps and returns how many duplicates were met. Throws when P1 or P2 breaks. */
export function playProducers(steps: readonly (Send | Cut)[]): number {
  const run = new ProducerRun();
  for (const step of steps) {
    if (step.kind === 'send') run.send(step);
    else run.cut(step);
    assert.equal(dump(run.state), dump(rebuilt(run.log)), 'P2');
    for (const producer of [0, 1, 2, 3]) assertInOrder(run.log, producer);
  }
  return run.duplicates;
}
