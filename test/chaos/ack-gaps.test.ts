/** Time without acks, counted on an example. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { AckGaps } from './ack-gaps.js';

test('a gap ends with the first ack of a record that was sent after the fault', () => {
  const gaps = new AckGaps();
  gaps.acked('a', 90, 100);
  gaps.broke(['a', 'b'], 'kill', 110);
  gaps.acked('a', 105, 120);
  assert.equal(gaps.percentiles(), { p50: -1, p99: -1 }, 'sent before it');
  gaps.acked('a', 130, 410);
  gaps.broke(['b'], 'cut', 500);
  gaps.acked('b', 600, 1_110);
  gaps.acked('b', 700, 1_200);
  assert.equal(gaps.percentiles(), { p50: 300, p99: 1_000 });
  assert.equal(gaps.byKind(), { kill: { p50: 300, p99: 1_000 } }, 'an open gap goes on');
});

test('the longest silence of a round, of whichever partition, also one that lasts', () => {
  const gaps = new AckGaps();
  gaps.acked('a', 0, 10);
  gaps.startRound(1_000);
  gaps.acked('a', 1_000, 1_100);
  gaps.acked('b', 1_000, 1_400);
  gaps.acked('a', 1_200, 1_600);
  assert.equal(gaps.longestSilence(['a', 'b'], 1_700), { partition: 'a', ms: 500, fromMs: 100 });
  assert.equal(gaps.longestSilence(['a', 'b', 'c'], 1_900), {
    partition: 'c',
    ms: 900,
    fromMs: 0,
  });
  gaps.startRound(2_000);
  assert.is(gaps.longestSilence(['a', 'b', 'c'], 2_050).ms, 50);
  assert.equal(gaps.silentSince(['a', 'b', 'c'], 1_500), ['b', 'c']);
});

test.run();
