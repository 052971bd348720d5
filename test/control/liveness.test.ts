/** Who is fenced when, as the controller hears of brokers or does not. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { applyRecord, type ClusterImage } from '#src/control/image.js';
import { Liveness } from '#src/control/liveness.js';
import { directoryOf, idOf, imageWithBrokers, registerRecord } from './fixtures.js';

const TIMEOUT_MS = 3_000;

function beat(
  nodeId: number,
  more: {
    isReady?: boolean;
    appliedOffset?: number;
    incarnation?: string;
    reconciledOffset?: number;
  } = {},
) {
  return {
    kind: 'heartbeat',
    nodeId,
    directoryId: directoryOf(nodeId),
    incarnation: idOf('run', nodeId),
    appliedOffset: 100,
    reconciledOffset: 0,
    isReady: true,
    ...more,
  } as const;
}

function verdict(liveness: Liveness, image: ClusterImage, nowMs: number): string[] {
  return liveness.judge(image, nowMs).map(({ kind, nodeId }) => `${kind} ${nodeId}`);
}

test('silence beyond the session timeout fences, a heartbeat brings back', () => {
  let image = imageWithBrokers(2);
  const liveness = new Liveness(TIMEOUT_MS, 0);
  assert.equal(
    verdict(liveness, image, 2_999),
    [],
    'a new controller gives everyone a whole timeout',
  );
  liveness.heard(beat(1), 2_000);
  assert.equal(verdict(liveness, image, 3_001), ['fence-broker 2']);
  for (const record of liveness.judge(image, 3_001)) image = applyRecord(image, record);
  assert.equal(verdict(liveness, image, 3_002), []);
  liveness.heard(beat(2), 4_000);
  assert.equal(verdict(liveness, image, 4_000), ['unfence-broker 2']);
});

test('a registered broker is live once it is ready and has applied its own registration', () => {
  const image = applyRecord(imageWithBrokers(0), registerRecord(1));
  const liveness = new Liveness(TIMEOUT_MS, 0);
  assert.equal(verdict(liveness, image, 10), []);
  liveness.heard(beat(1, { isReady: false }), 10);
  assert.equal(verdict(liveness, image, 10), []);
  liveness.heard(beat(1, { appliedOffset: 0 }), 20);
  assert.equal(verdict(liveness, image, 20), []);
  liveness.heard(beat(1, { appliedOffset: 1 }), 30);
  assert.equal(verdict(liveness, image, 30), ['unfence-broker 1']);
});

test('a broker that shuts down is fenced at once', () => {
  const liveness = new Liveness(TIMEOUT_MS, 0);
  liveness.heard(beat(1, { isReady: false }), 10);
  assert.equal(verdict(liveness, imageWithBrokers(1), 10), ['fence-broker 1']);
});

test('heartbeats of an earlier process do not speak for the new one', () => {
  const image = imageWithBrokers(1);
  const liveness = new Liveness(TIMEOUT_MS, 0);
  liveness.heard(beat(1, { incarnation: 'earlier' }), 3_000);
  assert.equal(verdict(liveness, image, 3_500), ['fence-broker 1']);
});

test('a controller that was paused forgives the silence it could not hear', () => {
  const image = imageWithBrokers(2);
  const liveness = new Liveness(TIMEOUT_MS, 0);
  liveness.heard(beat(1), 1_000);
  liveness.forgive(60_000);
  assert.equal(verdict(liveness, image, 60_000), []);
  assert.equal(verdict(liveness, image, 63_001), ['fence-broker 1', 'fence-broker 2']);
});

test('deletions are done everywhere only when every registered broker has said so', () => {
  const image = imageWithBrokers(2);
  const liveness = new Liveness(TIMEOUT_MS, 0);
  liveness.heard(beat(1, { reconciledOffset: 3 }), 0);
  assert.is(liveness.reconciledEverywhere(image), 0);
  liveness.heard(beat(2, { reconciledOffset: 2 }), 0);
  assert.is(liveness.reconciledEverywhere(image), 2);
});

test.run();
