/**
 * State machines in random orders against naive models: idempotent producers, consumer groups,
 * retention, the order of a connection's answers.
 */
import { ResponseQueue } from '#src/gateway/response-queue.js';
import { proposeLogStart } from '#src/log/retention.js';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { groupActions, playGroup } from '../../groups/group-run.js';
import { playProducers, producerSteps } from '../../partition/producer-run.js';
import { target } from '../fuzz-target.js';

const segment = fc.record({
  records: fc.integer({ min: 1, max: 9 }),
  sizeBytes: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.constant(0)),
  maxTimestamp: fc.integer({ min: -1, max: 100 }),
});
const bound = fc.oneof(fc.constant(-1), fc.nat(300));

type Segment = { nextOffset: number; sizeBytes: number; maxTimestamp: number };

/** One segment after the other, as an operator would do it by hand. */
function retainedFrom(
  segments: readonly Segment[],
  rules: { retentionBytes: number; retentionMs: number },
  nowMs: number,
  highWatermark: number,
): number | null {
  let left = [...segments];
  let start: number | null = null;
  for (let first = left[0]; first !== undefined; first = left[0]) {
    const rest = left.slice(1);
    const restBytes = rest.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const isCommitted = first.nextOffset <= highWatermark;
    const isEnough = rules.retentionBytes >= 0 && restBytes >= rules.retentionBytes;
    const age = nowMs - first.maxTimestamp;
    const isOld = rules.retentionMs >= 0 && first.maxTimestamp >= 0 && age > rules.retentionMs;
    if (first.sizeBytes === 0 || !isCommitted || !(isEnough || isOld)) break;
    start = first.nextOffset;
    left = rest;
  }
  return start;
}

export const MODEL_TARGETS = [
  target('producers', () => fc.property(producerSteps, (steps) => void playProducers(steps)), 50),
  target('groups', () => fc.property(groupActions, (actions) => void playGroup(actions)), 20),
  target('retention', () =>
    fc.property(
      fc.array(segment, { maxLength: 8 }),
      bound,
      bound,
      fc.nat(200),
      fc.nat(80),
      (shapes, retentionBytes, retentionMs, nowMs, highWatermark) => {
        let nextOffset = 0;
        const segments = shapes.map(({ records, sizeBytes, maxTimestamp }) => {
          nextOffset += records;
          return { nextOffset, sizeBytes, maxTimestamp };
        });
        const rules = { retentionBytes, retentionMs };
        const proposed = proposeLogStart(segments, rules, nowMs, highWatermark);
        if (proposed !== null) assert.ok(proposed <= highWatermark);
        assert.is(proposed, retainedFrom(segments, rules, nowMs, highWatermark));
      },
    ),
  ),
  target('response-queue', () =>
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(), fc.boolean())), (steps) => {
      const sent: number[] = [];
      const queue = new ResponseQueue<number>((result) => sent.push(result));
      const open: number[] = [];
      const expected: number[] = [];
      let answered = 0;
      const fill = (i: number, isSilent: boolean): void => {
        const [slot] = open.splice(i % open.length, 1) as [number];
        const isNext = slot === Math.min(slot, ...open) && slot === answered;
        assert.is(queue.isNext(slot), isNext);
        if (!isSilent) expected.push(slot);
        queue.fill(slot, isSilent ? null : slot);
        answered = Math.min(...open, nextSlot);
      };
      let nextSlot = 0;
      for (const [isRequest, which, isSilent] of steps) {
        if (isRequest || open.length === 0) {
          const slot = queue.reserve();
          assert.is(slot, nextSlot++);
          open.push(slot);
        } else fill(which, isSilent);
        const due = expected.filter((slot) => slot < answered).sort((a, b) => a - b);
        assert.equal(sent, due, 'answers leave in order, as soon as they may');
        assert.is(queue.size, nextSlot - answered);
      }
    }),
  ),
];
