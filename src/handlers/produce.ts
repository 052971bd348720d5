/** Produce: hands every batch to its partition and answers when all of them have decided. */
import { CLIENT_WAIT_MS_MAX } from '../base/limits.js';
import type { Acks, ProduceOutcome } from '../partition/access.js';
import { produceFailure } from '../partition/access.js';
import type { ProduceRequest, ProduceResponse, produceApi } from '../protocol/messages/produce.js';
import { type Handler, type HandlerContext, HangUp } from './context.js';
import { codeOf, kafkaCode } from './error-code.js';
import { unknownPartition } from './unknown-partition.js';

type PartitionResponse = ProduceResponse['responses'][number]['partitionResponses'][number];

export const produce: Handler<typeof produceApi> = (context, request, _info, respond) => {
  const responses = request.topicData.map(({ name, partitionData }) => ({
    name,
    partitionResponses: new Array<PartitionResponse>(partitionData.length),
  }));
  let waiting = 1;
  let error: string | null = null;
  const settle = (): void => {
    waiting--;
    if (waiting > 0) return;
    if (request.acks !== 0) respond({ responses });
    // Without answers a closed connection is all that makes a producer look for the new leader.
    else respond(error === null ? null : new HangUp(`produce with acks=0 failed: ${error}`));
  };
  request.topicData.forEach((topic, t) => {
    topic.partitionData.forEach((data, p) => {
      waiting++;
      produceOne(context, request, topic.name, data, (outcome) => {
        const { partitionResponses } = responses[t] as (typeof responses)[number];
        partitionResponses[p] = describe(data.index, outcome);
        error ??= outcome.error;
        settle();
      });
    });
  });
  settle();
};

type PartitionData = ProduceRequest['topicData'][number]['partitionData'][number];

function produceOne(
  context: HandlerContext,
  request: ProduceRequest,
  topicName: string,
  { index, records }: PartitionData,
  done: (outcome: ProduceOutcome) => void,
): void {
  const topic = context.image().topics.get(topicName);
  if (topic === undefined || topic.partitions[index] === undefined) {
    done(produceFailure(unknownPartition(context), null));
    return;
  }
  if (request.acks < -1 || request.acks > 1) {
    done(produceFailure('INVALID_ACKS', `acks is ${request.acks}, it must be -1, 0 or 1`));
    return;
  }
  if (records === null) {
    done(produceFailure('INVALID_RECORD', 'a produce carries one record batch a partition'));
    return;
  }
  const timeoutMs = Math.min(Math.max(request.timeoutMs, 0), CLIENT_WAIT_MS_MAX);
  context
    .partition({ topicId: topic.topicId, partition: index })
    .produce(
      records.bytes,
      records.start,
      records.length,
      { acks: request.acks as Acks, timeoutMs },
      done,
    );
}

function describe(index: number, outcome: ProduceOutcome): PartitionResponse {
  return {
    index,
    errorCode: outcome.error === null ? kafkaCode('NONE') : codeOf(outcome.error),
    baseOffset: outcome.baseOffset,
    logAppendTimeMs: outcome.logAppendTimeMs,
    logStartOffset: outcome.logStartOffset,
    errorMessage: outcome.message,
  };
}
