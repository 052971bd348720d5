/** A producer's batch at a simulated node: in a turn of its own, judged when the answer leaves. */
import type { ProduceOutcome } from '#src/partition/access.js';
import type { SentBatch } from './batches.js';
import type { Answer } from './node-parts.js';
import type { SimGroup, SimNode } from './sim-node.js';

export function produceAt(
  node: SimNode,
  { index, history }: SimGroup,
  batch: SentBatch,
  timeoutMs: number,
  answer: Answer,
): void {
  const work = (finish: Answer): void => {
    const partition = node.partition(index);
    if (partition === null) return finish(null);
    const { bytes } = batch;
    const done = (outcome: ProduceOutcome): void => {
      const { leaderEpoch } = partition.replica;
      node.tell(() => {
        if (outcome.error === null) history.onAck(batch, outcome.baseOffset, leaderEpoch);
        finish(outcome);
      });
    };
    partition.produce(bytes, 0, bytes.length, { acks: -1, timeoutMs }, done);
  };
  node.request(work, answer);
}
