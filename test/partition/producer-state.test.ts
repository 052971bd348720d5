/** Idempotent producers: stories, and a model that rebuilds the state from the log each time. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import fc from 'fast-check';
import { parseProducers, serialiseProducers } from '#src/partition/producer-snapshot.js';
import { ProducerState } from '#src/partition/producer-state.js';
import { batch, dump, fresh, playProducers, producerSteps } from './producer-run.js';

const LAST_SEQUENCE = 2 ** 31 - 1;
const HOUR = 3_600_000;

test('sequences go on without a gap, also before anything is committed', () => {
  const state = fresh();
  assert.is(state.check(batch(0, 3)), 'append');
  state.applied(batch(0, 3), 100);
  assert.is(state.check(batch(3)), 'append');
  assert.is(state.check(batch(4)), 'OUT_OF_ORDER_SEQUENCE_NUMBER');
  assert.is(state.check(batch(2)), 'OUT_OF_ORDER_SEQUENCE_NUMBER');
});

test('a retry of any of the last five batches gets the original offsets (P3)', () => {
  const state = fresh();
  for (let i = 0; i < 6; i++) state.applied(batch(2 * i, 2), 10 * i);
  for (let i = 1; i < 6; i++) {
    assert.equal(state.check(batch(2 * i, 2)), { duplicate: 10 * i, lastOffset: 10 * i + 1 });
  }
  assert.is(state.check(batch(0, 2)), 'OUT_OF_ORDER_SEQUENCE_NUMBER', 'the sixth is forgotten');
  assert.is(state.check(batch(10, 1)), 'OUT_OF_ORDER_SEQUENCE_NUMBER', 'half a batch is no retry');
});

test('an unknown producer may begin anywhere, a plain one is not looked at', () => {
  const state = fresh();
  assert.is(state.check(batch(41)), 'append');
  assert.is(state.check(batch(-1, 5, { id: -1 })), 'append');
  state.applied(batch(-1, 5, { id: -1 }), 0);
  assert.is(state.size, 0);
});

test('a new epoch begins at sequence 0 and fences the old one (P4)', () => {
  const state = fresh();
  state.applied(batch(5, 1, { epoch: 1 }), 0);
  assert.is(state.check(batch(1, 1, { epoch: 2 })), 'OUT_OF_ORDER_SEQUENCE_NUMBER');
  assert.is(state.check(batch(0, 1, { epoch: 2 })), 'append');
  state.applied(batch(0, 1, { epoch: 2 }), 1);
  assert.is(
    state.check(batch(5, 1, { epoch: 1 })),
    'INVALID_PRODUCER_EPOCH',
    'not even as a retry',
  );
  assert.equal(state.check(batch(0, 1, { epoch: 2 })), { duplicate: 1, lastOffset: 1 });
});

test('sequences go round after the greatest int', () => {
  const state = fresh();
  state.applied(batch(LAST_SEQUENCE - 1, 2), 0);
  assert.is(state.check(batch(0)), 'append');
  const across = fresh();
  across.applied(batch(LAST_SEQUENCE, 3), 0);
  assert.is(across.check(batch(2)), 'append');
  assert.equal(across.check(batch(LAST_SEQUENCE, 3)), { duplicate: 0, lastOffset: 2 });
  assert.is(across.check(batch(1)), 'OUT_OF_ORDER_SEQUENCE_NUMBER');
});

test('truncation takes batches back: what was lost may be sent again', () => {
  const state = fresh();
  for (let i = 0; i < 8; i++) state.applied(batch(i), i);
  state.applied(batch(0, 1, { epoch: 1 }), 8);
  assert.is(state.truncated(6), true);
  assert.is(state.endOffset, 6);
  assert.is(state.check(batch(6)), 'append');
  assert.equal(state.check(batch(1)), { duplicate: 1, lastOffset: 1 }, 'the window is whole again');
  assert.is(state.check(batch(0, 1, { epoch: 1 })), 'append');
});

test('below what is remembered the caller reads the log again', () => {
  const state = new ProducerState({ expirationMs: HOUR, undoBatchesMax: 3 });
  for (let i = 0; i < 10; i++) state.applied(batch(i), i);
  assert.is(state.truncated(7), true);
  assert.is(state.truncated(6), false);
  assert.is(state.size, 0);
  for (let i = 0; i < 6; i++) state.replayed(batch(i), i);
  assert.equal(state.check(batch(1)), { duplicate: 1, lastOffset: 1 });
});

test('committed batches need no memory of what was before them', () => {
  const state = fresh();
  for (let i = 0; i < 5; i++) state.applied(batch(i), i);
  state.committed(4);
  assert.is(state.truncated(4), true);
  assert.is(state.check(batch(4)), 'append');
  assert.is(state.truncated(3), false, 'never happens: it is below the commit point');
});

test('the log start moves, and its producers stay known', () => {
  const state = fresh();
  state.applied(batch(0), 0);
  state.logStartMoved(1);
  assert.is(state.check(batch(5)), 'OUT_OF_ORDER_SEQUENCE_NUMBER');
  assert.is(state.check(batch(1)), 'append');
});

test('a quiet producer expires, one that copies old history does not while it writes', () => {
  const state = fresh();
  const now = 50 * HOUR;
  state.applied(batch(0, 1, { id: 1, timestamp: now }), 0);
  state.applied(batch(0, 1, { id: 2, timestamp: -1 }), 1);
  assert.is(state.expire(now), 0);
  assert.is(state.expire(now + HOUR / 2), 0);
  state.applied(batch(1, 1, { id: 2, timestamp: 5 }), 2);
  assert.is(state.expire(now + HOUR), 1);
  assert.is(state.check(batch(9, 1, { id: 1 })), 'append', 'forgotten');
  assert.is(state.check(batch(9, 1, { id: 2 })), 'OUT_OF_ORDER_SEQUENCE_NUMBER');
  assert.is(state.expire(now + 2 * HOUR), 1);
});

test('after a restart the timestamps of the batches decide', () => {
  const state = fresh();
  state.replayed(batch(0, 1, { id: 1, timestamp: 10 * HOUR }), 0);
  state.replayed(batch(0, 1, { id: 2, timestamp: 12 * HOUR }), 1);
  state.replayed(batch(0, 1, { id: 3, timestamp: 99 * HOUR }), 2);
  assert.is(state.expire(12 * HOUR), 1);
  assert.is(state.expire(13 * HOUR), 2, 'a time in the future keeps nobody');
});

test('producers are bounded, the quietest goes first, and truncation brings it back', () => {
  const state = new ProducerState({ expirationMs: HOUR, producersMax: 3 });
  for (const id of [1, 2, 3]) state.applied(batch(0, 1, { id }), id);
  state.applied(batch(1, 1, { id: 1 }), 4);
  const before = dump(state);
  state.applied(batch(0, 1, { id: 4 }), 5);
  assert.is(state.size, 3);
  assert.is(state.check(batch(9, 1, { id: 2 })), 'append', 'the second is forgotten');
  state.truncated(5);
  assert.equal(dump(state), before);
});

// A dumb CRC is enough: the real one is native and tested there.
function sum(bytes: Uint8Array, start: number, length: number): number {
  return bytes
    .subarray(start, start + length)
    .reduce((hash, b) => (Math.imul(hash, 31) + b) >>> 0, 7);
}

test('a clean stop keeps everything, and damaged bytes are noticed', () => {
  const state = fresh();
  for (let i = 0; i < 7; i++) state.applied(batch(i, 1, { id: 2 ** 40 + (i % 2) }), i);
  state.applied(batch(LAST_SEQUENCE, 2, { epoch: 32_767 }), 2 ** 50);
  const bytes = serialiseProducers(state, sum);
  const parsed = parseProducers(bytes, sum);
  assert.ok(parsed);
  const restored = fresh();
  restored.restore(parsed.endOffset, parsed.producers);
  assert.equal(dump(restored), dump(state));
  assert.is(restored.endOffset, 2 ** 50 + 2);
  assert.is(restored.truncated(3), false, 'there is nothing to go back to');
  for (let i = 0; i < bytes.length; i++) {
    const damaged = Buffer.from(bytes);
    damaged[i] = (damaged[i] as number) ^ 0x10;
    assert.is(parseProducers(damaged, sum), null);
  }
  for (const cut of [0, 5, 17, 40]) assert.is(parseProducers(bytes.subarray(0, cut), sum), null);
});

test('P1 and P2: whatever is sent, appended, truncated and committed', () => {
  let duplicates = 0;
  fc.assert(
    fc.property(producerSteps, (steps) => {
      duplicates += playProducers(steps);
    }),
    { numRuns: 300 },
  );
  assert.ok(duplicates > 50, `${duplicates} duplicates`);
});

test.run();
